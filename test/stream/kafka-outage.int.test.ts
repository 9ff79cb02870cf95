import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTopic } from '../support/faults/servers.js';
import { OwnBroker } from '../support/own-broker.js';
import { until } from '../support/until.js';
import { QUIET, Recorder, startMember } from './support/recorder.js';

let broker: OwnBroker;

beforeAll(async () => {
  broker = await OwnBroker.start();
});
afterAll(() => broker.close());

async function send(topic: string, prefix: string, count: number): Promise<string[]> {
  const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ idempotent: true });
  const values = Array.from({ length: count }, (_, index) => `${prefix}${String(index)}`);
  await producer.connect();
  await producer.send({ topic, messages: values.map((value) => ({ value })) });
  await producer.disconnect();
  return values;
}

// The pauses lie on both sides of the 15 s that kafkajs itself retries.
test.each([
  ['a short outage', 0],
  ['an outage longer than the retries of kafkajs', 20_000],
])('reading goes on after %s, without loss or repetition', async (_name, pauseMs) => {
  const topic = await createTopic([broker.address], 2);
  const sent = await send(topic, 'before', 500);
  const recorder = new Recorder();
  const warnings: string[] = [];
  const logger = { ...QUIET, warn: (_: object, text: string) => void warnings.push(text) };
  const settings = { kafka: { brokers: [broker.address] }, groupId: `group-${topic}`, logger };
  const member = startMember({ ...settings, topics: [topic] }, recorder);
  try {
    await until('what was sent before is read', () => recorder.values.length === sent.length);
    await broker.kill();
    const since = Date.now();
    await until('the pause is over', () => Date.now() - since >= pauseMs, {
      deadlineMs: pauseMs + 5_000,
    });
    await broker.startAgain();
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
