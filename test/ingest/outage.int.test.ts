import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ClickProducer } from '../../ingest/producer.js';
import type { Running } from '../../runtime/stack/component.js';
import { startKafka } from '../../runtime/stack/kafka.js';
import { end, processRef } from '../../runtime/stack/process.js';
import { spawnTruecount } from '../support/command-line.js';
import { createTopic } from '../support/faults/servers.js';
import { eachRecord } from '../support/stream.js';
import { until } from '../support/until.js';

const CLICKS = 300_000;
/** A broker of its own, since it is killed. */
const home = mkdtempSync(join(tmpdir(), 'truecount-ingest-'));
let broker: Running;

beforeAll(async () => {
  broker = await startKafka({ dir: join(home, 'kafka'), heapMegabytes: 256 });
});
afterAll(async () => {
  await broker.stop();
  rmSync(home, { recursive: true, force: true });
});

async function kill(): Promise<void> {
  await end(processRef(broker.pid)!, { first: 'SIGKILL', deadlineMs: 20_000 });
}

function marks(): string[] {
  return readdirSync(home).includes('ingest') ? readdirSync(join(home, 'ingest')) : [];
}

it('goes on with a file when its broker was killed and is back, and loses nothing', async () => {
  const topic = await createTopic([broker.address], 2);
  const path = join(home, 'clicks.ndjson');
  const lines = Array.from({ length: CLICKS }, (_, i) => `{"event_id":${i},"ad_id":"a${i % 9}"}`);
  writeFileSync(path, `${lines.join('\n')}\n`);
  const env = { TRUECOUNT_KAFKA_BROKERS: broker.address, TRUECOUNT_HOME: home };
  const child = spawnTruecount(['ingest', path, '--topic', topic, '--json'], env);
  const [closed, said] = [once(child, 'close'), { stdout: '', stderr: '' }];
  child.stdout!.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()));
  child.stderr!.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()));
  try {
    await until('it is in the middle of it', () => marks().length > 0, { everyMs: 5 });
    await kill();
    // By then kafkajs has given up, 10 s or so after the broker went.
    await until(
      'it waits',
      () => said.stderr.includes('Kafka is away') || child.exitCode !== null,
      {
        deadlineMs: 60_000,
      },
    );
    expect(said.stderr).toMatch(/Kafka is away \(.*\): waiting for it up to 90 s/);
    broker = await startKafka({ dir: join(home, 'kafka'), heapMegabytes: 256 });
    expect(await closed).toEqual([0, null]);
    expect(JSON.parse(said.stdout)).toMatchObject({ sent: CLICKS, rejected: 0 });
  } finally {
    child.kill('SIGKILL');
  }
  const ids = new Set<number>();
  await eachRecord([broker.address], topic, ({ value }) => {
    ids.add((JSON.parse(value!.toString()) as { event_id: number }).event_id);
  });
  expect(ids.size).toBe(CLICKS);
});

it('says that Kafka cannot be reached when the patience is over', async () => {
  const topic = await createTopic([broker.address], 1);
  const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING });
  const told: string[] = [];
  const onWaiting = (why: string): unknown => told.push(why);
  const producer = await ClickProducer.connect(kafka, { topic, patienceMs: 1_000, onWaiting });
  await kill();
  await producer.add(Buffer.from('a'), Buffer.from('{}'));
  await expect(producer.flush()).rejects.toMatchObject({ code: 'dependency_unreachable' });
  expect(told).toHaveLength(1);
  await producer.close();
  broker = await startKafka({ dir: join(home, 'kafka'), heapMegabytes: 256 });
});
