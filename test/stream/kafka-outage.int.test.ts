import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Running } from '../../runtime/stack/component.js';
import { startKafka } from '../../runtime/stack/kafka.js';
import { end, processRef } from '../../runtime/stack/process.js';
import { until } from '../support/until.js';
import { QUIET, Recorder, startMember } from './support/recorder.js';

/** A broker of its own, since it is killed. */
const dir = mkdtempSync(join(tmpdir(), 'truecount-outage-'));
let broker: Running;

beforeAll(async () => {
  broker = await startKafka({ dir, heapMegabytes: 256 });
});
afterAll(async () => {
  await broker.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function kill(): Promise<void> {
  await end(processRef(broker.pid)!, { first: 'SIGKILL', deadlineMs: 20_000 });
}

async function send(topic: string, prefix: string, count: number): Promise<string[]> {
  const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ idempotent: true });
  const values = Array.from({ length: count }, (_, index) => `${prefix}${String(index)}`);
  await producer.connect();
  await producer.send({ topic, messages: values.map((value) => ({ value })) });
  await producer.disconnect();
  return values;
}

async function createTopic(topic: string): Promise<void> {
  const admin = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 2 }] });
  await admin.disconnect();
}

// The pauses lie on both sides of the 15 s that kafkajs itself retries.
test.each([
  ['a short outage', 'short', 0],
  ['an outage longer than the retries of kafkajs', 'long', 20_000],
])('reading goes on after %s, without loss or repetition', async (_name, topic, pauseMs) => {
  await createTopic(topic);
  const sent = await send(topic, 'before', 500);
  const recorder = new Recorder();
  const warnings: string[] = [];
  const logger = { ...QUIET, warn: (_: object, text: string) => void warnings.push(text) };
  const settings = { kafka: { brokers: [broker.address] }, groupId: `group-${topic}`, logger };
  const member = startMember({ ...settings, topics: [topic] }, recorder);
  try {
    await until('what was sent before is read', () => recorder.values.length === sent.length);
    await kill();
    const since = Date.now();
    await until('the pause is over', () => Date.now() - since >= pauseMs, {
      deadlineMs: pauseMs + 5_000,
    });
    broker = await startKafka({ dir, heapMegabytes: 256 });
    sent.push(...(await send(topic, 'after', 500)));
    await until('what was sent after is read', () => recorder.values.length >= sent.length, {
      deadlineMs: 120_000,
    });
    expect(recorder.values.toSorted()).toEqual(sent.toSorted());
    expect(recorder.jumps).toEqual([]);
    expect(recorder.faults).toEqual([]);
    if (pauseMs > 0) expect(warnings.join()).toContain('Kafka consumer broke');
  } finally {
    expect(await member.stop()).toBeUndefined();
  }
});

test('a source without a reachable broker closes at once', async () => {
  const recorder = new Recorder();
  const member = startMember(
    { kafka: { brokers: ['127.0.0.1:1'] }, groupId: 'nobody', topics: ['none'] },
    recorder,
  );
  const since = Date.now();
  expect(await member.stop()).toBeUndefined();
  expect(Date.now() - since).toBeLessThan(15_000);
});
