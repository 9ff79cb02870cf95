import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { spawnTruecount, truecount } from '../support/command-line.js';
import {
  freshDatabase,
  freshTopic,
  kafkaBrokers,
  testKafka,
  type TestDatabase,
} from '../support/stack.js';
import { until } from '../support/until.js';

// docs/how-to/bring-your-own-stack.md: services against addresses from the environment.
let home: string;
let database: TestDatabase;
let env: Record<string, string>;
let services: ChildProcess[] = [];

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'truecount-own-'));
  database = await freshDatabase();
  env = {
    TRUECOUNT_HOME: home,
    TRUECOUNT_POSTGRES_URL: database.url,
    TRUECOUNT_KAFKA_BROKERS: kafkaBrokers().join(','),
    TRUECOUNT_TOPICS: await freshTopic(2),
    TRUECOUNT_API_PORT: '0',
    TRUECOUNT_GROUP_ID: `own-${String(Date.now())}`,
    TRUECOUNT_STREAM_FLUSH_INTERVAL_MS: '100',
  };
});

afterEach(async () => {
  for (const service of services.filter(({ exitCode }) => exitCode === null)) {
    service.kill('SIGKILL');
    await once(service, 'close');
  }
  services = [];
  await database.close();
  rmSync(home, { recursive: true, force: true });
});

/** Starts a service and gives the address that it logs. */
async function start(name: string): Promise<{ service: ChildProcess; url: string }> {
  const service = spawnTruecount(['run', name], env);
  services.push(service);
  let logged = '';
  service.stderr?.on('data', (chunk: Buffer) => (logged += chunk.toString('utf8')));
  const url = await until(
    `${name} says where it is`,
    () => /"url":"([^"]+)","msg":"\w+ runs"/.exec(logged)?.[1],
  );
  return { service, url };
}

it('counts clicks of a topic of somebody else, answers, and ends cleanly on SIGTERM', async () => {
  expect((await truecount(['migrate'], env)).code).toBe(0);
  const stream = await start('stream');
  const api = await start('api');
  const producer = testKafka().producer();
  await producer.connect();
  const timestamp = new Date().toISOString();
  const click = (id: string) => ({
    key: 'ad',
    value: JSON.stringify({ event_id: id, ad_id: 'ad', timestamp }),
  });
  await producer.send({
    topic: env['TRUECOUNT_TOPICS'] ?? '',
    acks: -1,
    messages: ['1', '2', '2', '3'].map(click),
  });
  await producer.disconnect();
  const fromMs = Math.floor(Date.parse(timestamp) / 60_000) * 60_000;
  const from = new Date(fromMs).toISOString();
  const to = new Date(fromMs + 60_000).toISOString();
  const count = `${api.url}/ads/ad/aggregated_count?from=${from}&to=${to}`;
  await until('the three clicks are counted', async () => {
    const answer = (await (await fetch(count)).json()) as { count?: number };
    return answer.count === 3;
  });
  expect(await (await fetch(`${stream.url}/metrics`)).text()).toContain('truecount_records_total');
  expect((await fetch(`${stream.url}/health/ready`)).status).toBe(200);
  for (const { service } of [stream, api]) {
    service.kill('SIGTERM');
    if (service.exitCode === null) await once(service, 'close');
    expect(service.exitCode).toBe(0);
  }
});

it('shows the addresses that were given, and no password', async () => {
  const answer = JSON.parse((await truecount(['status', '--json'], env)).stdout) as {
    postgres: string;
    kafka: string;
    temporal_ui: unknown;
  };
  expect(answer.kafka).toBe(env['TRUECOUNT_KAFKA_BROKERS']);
  expect(answer.temporal_ui).toBeNull();
  expect(answer.postgres).toContain(new URL(database.url).pathname);
  expect(answer.postgres).toContain(':***@');
});

it('says with exit code 5 that a given server does not answer', async () => {
  const away = { ...env, TRUECOUNT_POSTGRES_URL: 'postgres://a:b@127.0.0.1:1/x' };
  const answer = await truecount(['migrate', '--json'], away);
  expect(answer.code).toBe(5);
  expect(JSON.parse(answer.stdout)).toMatchObject({ error: { code: 'dependency_unreachable' } });
});
