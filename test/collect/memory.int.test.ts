import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { kafkaBrokers } from '../support/stack.js';
import { until } from '../support/until.js';
import {
  bodyOf,
  collectSettings,
  collecting,
  metric,
  watchedCollector,
} from './support/collecting.js';

const MIB = 1024 * 1024;
const HELD = 'truecount_collect_held_bytes';
/** The least memory that a collector with bodies of 1 MiB starts with. */
const watched = watchedCollector(2, {
  queueBytesMax: 2 * MIB,
  queueClicksMax: 10_000,
  requestTimeoutMs: 60_000,
});

function clicks(name: string, count: number): string {
  return Array.from({ length: count }, (_, i) => {
    const ids = `"event_id":"${name}-${String(i)}","ad_id":"a"`;
    return `{${ids},"timestamp":${String(Date.now())},"x":"${'y'.repeat(60)}"}`;
  }).join('\n');
}

async function post(body: string | Buffer, encoding?: string): Promise<[number, string]> {
  const answer = await fetch(`${watched.collector.url}/clicks`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-ndjson',
      ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
    },
    body: new Uint8Array(Buffer.from(body)),
  });
  return [answer.status, (await bodyOf<{ code?: string }>(answer)).code ?? ''];
}

describe('the memory of a collector', () => {
  it('is not used up by small gzip bodies that come together', async () => {
    const bodies = Array.from({ length: 200 }, (_, i) => gzipSync(clicks(`g${String(i)}`, 20)));
    const answers = await Promise.all(bodies.map((body) => post(body, 'gzip')));
    expect(answers.filter(([status]) => status !== 202)).toEqual([]);
    expect((await watched.added()).length).toBe(4_000);
    expect(await metric(watched.collector.url, HELD)).toBe(0);
  });

  it('has room for the largest body that may be, packed and unpacked', async () => {
    const line = `${clicks('large', 1)}\n`;
    const body = line + ' '.repeat(MIB - 2_048 - line.length);
    expect(await post(gzipSync(body, { level: 0 }), 'gzip')).toEqual([202, '']);
  });

  it('is not for requests that stay unfinished', async () => {
    const { hostname, port } = new URL(watched.collector.url);
    const answers: string[] = [];
    const half = (bytes: number): Socket => {
      const socket = connect(Number(port), hostname);
      const at = answers.push('') - 1;
      socket.on('data', (chunk) => (answers[at] += chunk.toString()));
      socket.on('error', () => undefined);
      socket.write(`POST /clicks HTTP/1.1\r\nhost: x\r\ncontent-length: ${String(MIB)}\r\n\r\n`);
      socket.write(Buffer.alloc(bytes, ' '));
      return socket;
    };
    const sockets = [half(MIB - 1), half(MIB - 1)];
    try {
      await until('most of the memory is held', async () => {
        return (await metric(watched.collector.url, HELD)) > 2 * MIB - 3;
      });
      const startMs = performance.now();
      await until('others find room', async () => (await post(clicks('small', 20)))[0] === 202);
      expect(performance.now() - startMs).toBeLessThan(5_000);
      await until('one has given way', () => answers.some((text) => text !== ''));
      expect(answers.filter((text) => text !== '')).toEqual([
        expect.stringMatching(/^HTTP\/1\.1 503 [^]*retry-after: 1[^]*came too slowly/i),
      ]);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
    await until('nothing is held', async () => (await metric(watched.collector.url, HELD)) === 0);
  });
});

describe('bounds that do not fit each other', () => {
  it('make no request wait for ever: more clicks than the queue holds are too many', async () => {
    const overrides = { queueClicksMax: 100 };
    const collector = await collecting(kafkaBrokers(), watched.topic, overrides);
    try {
      const send = async (count: number): Promise<[number, string]> => {
        const headers = { 'content-type': 'application/x-ndjson' };
        const body = clicks('q', count);
        const answer = await fetch(`${collector.url}/clicks`, { method: 'POST', headers, body });
        return [answer.status, (await bodyOf<{ code?: string }>(answer)).code ?? ''];
      };
      expect(await send(101)).toEqual([413, 'body_too_large']);
      expect(await send(100)).toEqual([202, '']);
    } finally {
      await collector.close();
    }
  });

  it('are refused at the start where the largest body finds no room', async () => {
    const { bodyBytesMax } = collectSettings();
    const starting = collecting(kafkaBrokers(), watched.topic, {
      queueBytesMax: 2 * bodyBytesMax - 1,
    });
    await expect(starting).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining('collect.queueBytesMax = 2097151') as string,
    });
  });
});
