import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ClickProducer } from '../../ingest/producer.js';
import { spawnTruecount } from '../support/command-line.js';
import { createTopic } from '../support/faults/servers.js';
import { eachRecord } from '../support/stream.js';
import { OwnBroker } from '../support/own-broker.js';
import { until } from '../support/until.js';

const CLICKS = 300_000;
let broker: OwnBroker;

beforeAll(async () => {
  broker = await OwnBroker.start();
});
afterAll(() => broker.close());

function marks(): string[] {
  return readdirSync(broker.folder).includes('ingest')
    ? readdirSync(join(broker.folder, 'ingest'))
    : [];
}

it('goes on with a file when its broker was killed and is back, and loses nothing', async () => {
  const topic = await createTopic([broker.address], 2);
  const path = join(broker.folder, 'clicks.ndjson');
  const lines = Array.from({ length: CLICKS }, (_, i) => `{"event_id":${i},"ad_id":"a${i % 9}"}`);
  writeFileSync(path, `${lines.join('\n')}\n`);
  const env = { TRUECOUNT_KAFKA_BROKERS: broker.address, TRUECOUNT_HOME: broker.folder };
  const child = spawnTruecount(['ingest', path, '--topic', topic, '--json'], env);
  const [closed, said] = [once(child, 'close'), { stdout: '', stderr: '' }];
  child.stdout!.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()));
  child.stderr!.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()));
  try {
    await until('it is in the middle of it', () => marks().length > 0, { everyMs: 5 });
    await broker.kill();
    // By then kafkajs has given up, 10 s or so after the broker went.
    await until(
      'it waits',
      () => said.stderr.includes('Kafka is away') || child.exitCode !== null,
      {
        deadlineMs: 60_000,
      },
    );
    expect(said.stderr).toMatch(/Kafka is away \(.*\): waiting for it up to 90 s/);
    await broker.startAgain();
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
  await broker.kill();
  await producer.add(Buffer.from('a'), Buffer.from('{}'));
  await expect(producer.flush()).rejects.toMatchObject({ code: 'dependency_unreachable' });
  expect(told).toHaveLength(1);
  await producer.close();
  await broker.startAgain();
});
