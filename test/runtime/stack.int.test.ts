import { mkdirSync, mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { Kafka, logLevel } from 'kafkajs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Running } from '../../runtime/stack/component.js';
import { startKafka } from '../../runtime/stack/kafka.js';
import { startPostgres } from '../../runtime/stack/postgres.js';
import { isRunning } from '../../runtime/stack/process.js';
import { findTemporal, goVersion } from '../../runtime/stack/temporal-binary.js';
import { startTemporal } from '../../runtime/stack/temporal.js';
import { skipUnless } from '../support/skip-unless.js';

const HAS_TEMPORAL = findTemporal() !== undefined || goVersion() !== undefined;
/** Building Temporal once takes minutes. */
const BUILD_MS = 20 * 60_000;

let dir: string;
let running: Running | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'truecount-stack-'));
});

afterEach(async () => {
  await running?.stop();
  running = undefined;
  rmSync(dir, { recursive: true, force: true });
});

async function sql(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

it('finds a running PostgreSQL, and after kill -9 starts it again with port and data', async () => {
  const first = (running = await startPostgres({ dir }));
  await sql(first.address, 'create table kept as select 7 as n');
  expect((await startPostgres({ dir })).pid).toBe(first.pid);
  // A session in the middle of something outlives the postmaster for a while.
  const busy = sql(first.address, 'select pg_sleep(60)').catch((error: unknown) => error);
  process.kill(first.pid, 'SIGKILL');
  const second = (running = await startPostgres({ dir }));
  expect(second.attached).toBe(false);
  expect(second.address).toBe(first.address);
  expect(await sql(second.address, 'select n from kept')).toEqual([{ n: 7 }]);
  expect(await busy).toBeInstanceOf(Error);
  await second.stop();
  expect(isRunning(second.process)).toBe(false);
});

it('starts PostgreSQL although a pid file names a live process that is no server', async () => {
  const first = (running = await startPostgres({ dir }));
  await first.stop();
  const pidFile = join(dir, 'data', 'postmaster.pid');
  writeFileSync(pidFile, `${String(process.pid)}\n${join(dir, 'data')}\n`);
  running = await startPostgres({ dir });
  expect(readFileSync(pidFile, 'utf8')).toContain(String(running.pid));
});

it('starts PostgreSQL after an initdb that was killed half-way', async () => {
  mkdirSync(join(dir, 'data', 'base'), { recursive: true });
  running = await startPostgres({ dir });
  expect(await sql(running.address, 'select 1 as n')).toEqual([{ n: 1 }]);
});

it('says why PostgreSQL does not come up, with the end of its log', async () => {
  const started = startPostgres({ dir, settings: { no_such_setting: '1' } });
  await expect(started).rejects.toMatchObject({
    code: 'component_unavailable',
    message: expect.stringContaining('no_such_setting') as string,
  });
});

it('finds a running broker, and after kill -9 starts it again with port and records', async () => {
  const first = (running = await startKafka({ dir, heapMegabytes: 256 }));
  const client = () => new Kafka({ brokers: [first.address], logLevel: logLevel.NOTHING });
  const producer = client().producer();
  const admin = client().admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 't', numPartitions: 1 }], waitForLeaders: true });
  await admin.disconnect();
  await producer.connect();
  await producer.send({ topic: 't', messages: [{ value: 'kept' }] });
  await producer.disconnect();
  expect((await startKafka({ dir })).pid).toBe(first.pid);
  process.kill(first.pid, 'SIGKILL');
  const second = (running = await startKafka({ dir, heapMegabytes: 256 }));
  expect(second.attached).toBe(false);
  expect(second.address).toBe(first.address);
  const again = client().admin();
  await again.connect();
  expect((await again.fetchTopicOffsets('t'))[0]?.high).toBe('1');
  const answer = await again.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: 2, name: 't', configNames: ['message.timestamp.type'] }],
  });
  expect(answer.resources[0]?.configEntries[0]?.configValue).toBe('LogAppendTime');
  await again.disconnect();
  await second.stop();
  expect(isRunning(second.process)).toBe(false);
});

skipUnless(HAS_TEMPORAL, 'no temporal on PATH and no Go to build it')(
  'finds a running Temporal, and after kill -9 starts it again on the same ports',
  async () => {
    const first = (running = await startTemporal({ dir, log: console.log }));
    expect((await fetch(first.ui ?? '')).ok).toBe(true);
    expect((await startTemporal({ dir })).pid).toBe(first.pid);
    process.kill(first.pid, 'SIGKILL');
    const second = (running = await startTemporal({ dir }));
    expect(second.attached).toBe(false);
    expect([second.address, second.ui]).toEqual([first.address, first.ui]);
  },
  BUILD_MS,
);
