import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LinkKeys } from '../../collect/links.js';
import type { RunningCollector } from '../../collect/service.js';
import { spawnTruecount } from '../support/command-line.js';
import { freshDatabase, type TestDatabase } from '../support/stack.js';
import { liveCells, readTopic, startWorker, untilCounted } from '../support/stream.js';
import { createTopic } from '../support/faults/servers.js';
import { OwnBroker } from '../support/own-broker.js';
import { until } from '../support/until.js';
import { bodyOf, collecting, metric, SECRET } from './support/collecting.js';

const PARTITIONS = 2;
const AD = 'ad-outage';
let broker: OwnBroker;
let database: TestDatabase;

beforeAll(async () => {
  broker = await OwnBroker.start();
  database = await freshDatabase();
});
afterAll(async () => {
  await database.close();
  await broker.close();
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What clients of a load were told, by id. */
interface Told {
  readonly acknowledged: Set<string>;
  readonly refused: Set<string>;
  readonly tries: Map<string, number>;
  retried: number;
}

/**
 * Clients that send one click after another until they are told to stop. Every other click is sent
 * again with the same id until it is acknowledged; the rest is given up at the first failure.
 */
async function load(
  url: string,
  clients: number,
  timestamp: number,
  goesOn: () => boolean,
): Promise<Told> {
  const told: Told = { acknowledged: new Set(), refused: new Set(), tries: new Map(), retried: 0 };
  const client = async (name: number): Promise<void> => {
    for (let i = 0; goesOn(); i++) {
      const id = `c${String(name)}-${String(i)}`;
      for (let tries = 1; ; tries++) {
        told.tries.set(id, tries);
        const body = JSON.stringify({ event_id: id, ad_id: AD, timestamp });
        const headers = { 'content-type': 'application/json' };
        const answer = await fetch(`${url}/clicks`, { method: 'POST', headers, body });
        await answer.arrayBuffer();
        if (answer.status === 202) {
          told.acknowledged.add(id);
          break;
        }
        expect(answer.status).toBe(503);
        expect(answer.headers.get('retry-after')).toBe('1');
        if (i % 2 === 1) {
          told.refused.add(id);
          break;
        }
        told.retried++;
        await pause(100);
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, name) => client(name)));
  return told;
}

describe('a collector whose broker is killed under load', () => {
  it('counts what it acknowledged once, and what it did not at most once', async () => {
    const topic = await createTopic([broker.address], PARTITIONS);
    const collector = await collecting([broker.address], topic, { ackTimeoutMs: 2_000 });
    const worker = startWorker([broker.address], database, [topic]);
    let running = true;
    const timestamp = Date.now();
    try {
      const loading = load(collector.url, 40, timestamp, () => running);
      const accepted = 'truecount_collect_clicks_total{fate="accepted"}';
      await until(
        'clicks are acknowledged',
        async () => (await metric(collector.url, accepted)) > 500,
      );
      await broker.kill();
      await until('the outage is noticed', async () => {
        return (await fetch(`${collector.url}/health/ready`)).status === 503;
      });
      const late = 'truecount_collect_clicks_total{fate="unacknowledged"}';
      await until('some have waited too long', async () => (await metric(collector.url, late)) > 0);
      await broker.startAgain();
      const soFar = await metric(collector.url, accepted);
      await until('clicks are acknowledged again', async () => {
        return (await metric(collector.url, accepted)) > soFar + 500;
      });
      running = false;
      const told = await loading;
      expect(told.retried).toBeGreaterThan(0);
      expect(told.refused.size).toBeGreaterThan(0);

      const stored = new Map<string, number>();
      for (const { value } of await readTopic([broker.address], topic)) {
        const { event_id: id } = JSON.parse(String(value)) as { event_id: string };
        stored.set(id, (stored.get(id) ?? 0) + 1);
      }
      const lost = [...told.acknowledged].filter((id) => !stored.has(id));
      expect(lost).toEqual([]);
      const foreign = [...stored.keys()].filter((id) => !told.tries.has(id));
      expect(foreign).toEqual([]);
      const tooOften = [...stored].filter(([id, times]) => times > told.tries.get(id)!);
      expect(tooOften).toEqual([]); // no more than one of each try

      await untilCounted(database.pool, [broker.address], topic);
      const cells = await liveCells(database.pool);
      const minute = String(Math.floor(timestamp / 60_000) * 60_000);
      expect(cells.get(`${AD}|${minute}|`)).toBe(stored.size);
    } finally {
      running = false;
      await worker.stop();
      await collector.close();
    }
  });
});

describe('a collector without a broker', () => {
  it('starts, refuses quickly, and takes clicks when the broker comes', async () => {
    const topic = await createTopic([broker.address], PARTITIONS);
    await broker.stop();
    const env = {
      TRUECOUNT_KAFKA_BROKERS: broker.address,
      TRUECOUNT_TOPICS: topic,
      TRUECOUNT_COLLECT_PORT: '0',
      TRUECOUNT_COLLECT_LINGER_MS: '1000',
      TRUECOUNT_HOME: join(broker.folder, 'home'),
    };
    const child = spawnTruecount(['run', 'collect'], env);
    let log = '';
    child.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    try {
      const url = await until('it says where it is', () => /"url":"(http:[^"]+)"/.exec(log)?.[1]);
      const post = (): Promise<Response> =>
        fetch(`${url}/clicks`, {
          method: 'POST',
          body: '{"ad_id":"a"}',
          headers: { 'content-type': 'text/plain' },
        });
      const startMs = performance.now();
      const refused = await post();
      expect(performance.now() - startMs).toBeLessThan(1_000);
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
      expect((await bodyOf<{ code: string }>(refused)).code).toBe('dependency_unreachable');
      expect((await fetch(`${url}/health/live`)).status).toBe(200);
      await broker.startAgain();
      await until('it takes clicks', async () => (await post()).status === 202);
      // Told to stop while requests are under way, it answers them first.
      const last = Array.from({ length: 20 }, post);
      await until('they have arrived', async () => {
        return (await metric(url, 'truecount_collect_queue_clicks')) === last.length;
      });
      child.kill('SIGTERM');
      const statuses = (await Promise.all(last)).map(({ status }) => status);
      expect(statuses).toEqual(Array(20).fill(202));
      expect(await ended).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
  });
});

describe('a collector that is told to stop while its broker', () => {
  const AWAY = [
    ['is away', () => broker.stop(), () => broker.startAgain()],
    [
      'is frozen',
      () => process.kill(broker.pid, 'SIGSTOP'),
      () => process.kill(broker.pid, 'SIGCONT'),
    ],
  ] as const;
  it.each(AWAY.flatMap((away) => [[...away, false] as const, [...away, true] as const]))(
    '%s ends at once (%#)',
    async (_how, goAway, comeBack, isConnected) => {
      const topic = await createTopic([broker.address], PARTITIONS);
      const env = {
        TRUECOUNT_KAFKA_BROKERS: broker.address,
        TRUECOUNT_TOPICS: topic,
        TRUECOUNT_COLLECT_PORT: '0',
        TRUECOUNT_COLLECT_ACK_TIMEOUT_MS: '500',
        TRUECOUNT_HOME: join(broker.folder, 'home'),
      };
      if (!isConnected) await goAway();
      const child = spawnTruecount(['run', 'collect'], env);
      try {
        let log = '';
        child.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()));
        const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
        const url = await until('it says where it is', () => /"url":"(http:[^"]+)"/.exec(log)?.[1]);
        const post = async (): Promise<number> =>
          (await fetch(`${url}/clicks`, { method: 'POST', body: '{"ad_id":"a"}' })).status;
        if (isConnected) {
          await until('it takes clicks', async () => (await post()) === 202);
          await goAway();
        }
        await until('a click is not acknowledged', async () => (await post()) === 503);
        const startMs = performance.now();
        child.kill('SIGTERM');
        expect(await ended).toBe(0);
        expect(performance.now() - startMs).toBeLessThan(4_000);
        expect(log).not.toContain('without a clean stop');
      } finally {
        child.kill('SIGKILL');
        await comeBack();
      }
    },
  );
});

describe('a collector whose broker is frozen', () => {
  it('keeps its memory bounded, answers 503 at once, and goes on where it was', async () => {
    const topic = await createTopic([broker.address], PARTITIONS);
    const collector: RunningCollector = await collecting([broker.address], topic, {
      queueClicksMax: 1_000,
      bodyBytesMax: 512 * 1024,
      queueBytesMax: 1024 * 1024,
      ackTimeoutMs: 5_000,
    });
    const text = JSON.stringify({
      event_id: 'x',
      ad_id: 'a',
      timestamp: Date.now(),
      x: 'y'.repeat(200_000),
    });
    const post = async (): Promise<[number, string]> => {
      const answer = await fetch(`${collector.url}/clicks`, { method: 'POST', body: text });
      return [answer.status, (await bodyOf<{ code?: string }>(answer)).code ?? ''];
    };
    try {
      expect(await post()).toEqual([202, '']);
      process.kill(broker.pid, 'SIGSTOP');
      const answers = await Promise.all(Array.from({ length: 40 }, post));
      const codes = new Set(answers.map(([status, code]) => `${String(status)} ${code}`));
      expect([...codes].sort()).toEqual(['503 dependency_unreachable', '503 overloaded']);
      expect(await metric(collector.url, 'truecount_collect_held_bytes')).toBe(0);
      const startMs = performance.now();
      expect(await post()).toEqual([503, 'dependency_unreachable']);
      expect(performance.now() - startMs).toBeLessThan(500);
      process.kill(broker.pid, 'SIGCONT');
      await until('clicks are taken again', async () => (await post())[0] === 202);
      expect(await metric(collector.url, 'truecount_collect_outages_total')).toBe(1);
    } finally {
      process.kill(broker.pid, 'SIGCONT');
      await collector.close();
    }
  });

  it('gives a link and a pixel back with their ids: tried again, each is one click', async () => {
    const topic = await createTopic([broker.address], PARTITIONS);
    const collector = await collecting([broker.address], topic, {
      ackTimeoutMs: 1_000,
      redirectHosts: ['shop.example'],
      linkKeys: [SECRET],
    });
    const fields = new Map([['campaign', 'ä&b']]);
    const to = 'https://shop.example/sale';
    const link = `/c/l1?${new LinkKeys([SECRET]).sign({ adId: 'l1', to, fields })}`;
    const get = async (path: string): Promise<Response> => {
      return fetch(collector.url + path, { redirect: 'manual' });
    };
    try {
      expect((await get(link)).status).toBe(302);
      process.kill(broker.pid, 'SIGSTOP');
      const paths = [link, '/p/p1.gif?f.campaign=x'];
      const refused = await Promise.all(paths.map(get));
      process.kill(broker.pid, 'SIGCONT');
      expect(refused.map(({ status }) => status)).toEqual([503, 503]);
      const given = [];
      for (const [i, answer] of refused.entries()) {
        const { retry, event_ids } = await bodyOf<Given>(answer);
        const refresh = answer.headers.get('refresh');
        expect(refresh).toBe(i === 0 ? `1; url=${retry}` : null);
        const again = paths[i]!.replace(/\?.*/, '') + retry;
        await until('it is taken', async () => (await get(again)).status < 400);
        given.push(event_ids[0]!.event_id);
      }
      const clicks = (await readTopic([broker.address], topic)).map(
        ({ value }) =>
          JSON.parse(String(value)) as { event_id: string; ad_id: string; campaign?: string },
      );
      const ofAd = (ad: string) => clicks.filter(({ ad_id }) => ad_id === ad);
      expect(new Set(ofAd('p1').map(({ event_id }) => event_id))).toEqual(new Set([given[1]]));
      const ids = new Set(ofAd('l1').map(({ event_id }) => event_id));
      expect([ids.size, ids.has(given[0]!)]).toEqual([2, true]);
      expect(new Set(ofAd('l1').map(({ campaign }) => campaign))).toEqual(new Set(['ä&b']));
    } finally {
      process.kill(broker.pid, 'SIGCONT');
      await collector.close();
    }
  });
});

/** What a 503 says of a click that has no id of its own. */
interface Given {
  readonly retry: string;
  readonly event_ids: readonly { readonly event_id: string }[];
}
