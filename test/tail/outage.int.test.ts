import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTopic } from '../support/faults/servers.js';
import { readTopic } from '../support/stream.js';
import { OwnBroker } from '../support/own-broker.js';
import { until } from '../support/until.js';
import { TailProcess } from './support/tail-process.js';

let broker: OwnBroker;

beforeAll(async () => {
  broker = await OwnBroker.start();
});
afterAll(() => broker.close());

function lines(prefix: string, count: number): string {
  return Array.from({ length: count }, (_, i) => `{"n":"${prefix}${String(i)}"}\n`).join('');
}

it('reads no further while Kafka is away, says so once, and loses nothing', async () => {
  const topic = await createTopic([broker.address], 1);
  const log = join(broker.folder, 'a.log');
  writeFileSync(log, lines('before', 100));
  const options = { home: broker.folder, brokers: [broker.address], topic, args: [log] };
  let tail = await TailProcess.start(options);
  try {
    await tail.untilDrained();
    await broker.kill();
    appendFileSync(log, lines(`during${'x'.repeat(200)}`, 50_000));
    const written = 50_000 * 200;
    await until('the outage shows', async () => (await tail.metric('truecount_tail_outage')) === 1);
    const health = await fetch(`${tail.url}/health`);
    expect(health.status).toBe(503);
    expect(await tail.metric('truecount_tail_lag_bytes')).toBeGreaterThan(written);
    expect(await tail.metric('truecount_tail_oldest_unread_seconds')).toBeGreaterThan(0);
    expect(await tail.metric('truecount_tail_lines_total')).toBe(100);

    // Told to stop now it does so at once, and another one goes on, still without Kafka.
    const sinceMs = performance.now();
    expect(await tail.end('SIGTERM')).toBe(0);
    expect(performance.now() - sinceMs).toBeLessThan(5_000);
    tail = await TailProcess.start(options);
    await until('the outage shows', async () => (await tail.metric('truecount_tail_outage')) === 1);
    await broker.startAgain();
    await tail.untilDrained(90_000);
    expect(tail.lines.filter((line) => line.includes('Kafka is away'))).toHaveLength(1);
    expect(tail.lines.filter((line) => line.includes('Kafka is back'))).toHaveLength(1);
    expect(await tail.metric('truecount_tail_outage')).toBe(0);
    expect(await tail.end('SIGTERM')).toBe(0);
  } finally {
    tail.child.kill('SIGKILL');
  }
  const onLog = (await readTopic([broker.address], topic)).map(({ value }) => value!.toString());
  expect(new Set(onLog).size).toBe(50_100);
});

it('loses nothing of files that rotate before Kafka was there for the first time', async () => {
  const topic = await createTopic([broker.address], 1);
  await broker.kill();
  const logs = join(broker.folder, 'first');
  mkdirSync(logs);
  const log = join(logs, 'f.ndjson');
  const options = {
    home: join(broker.folder, 'first-home'),
    brokers: [broker.address],
    topic,
    args: [log],
  };
  mkdirSync(options.home);
  writeFileSync(log, lines('a', 100));
  let tail = await TailProcess.start(options);
  try {
    expect((await fetch(`${tail.url}/health`)).status).toBe(503);
    await until('it is said', () => tail.lines.some((line) => line.includes('Kafka is away')));
    await tail.end('SIGKILL');
    renameSync(log, `${log}.1`);
    writeFileSync(log, lines('b', 100));
    tail = await TailProcess.start(options);
    await until('it was seen', async () => (await tail.metric('truecount_tail_lag_bytes')) > 1_000);
    expect(await tail.end('SIGTERM')).toBe(0);
    execFileSync('gzip', [`${log}.1`]);
    renameSync(log, `${log}.2`);
    tail = await TailProcess.start(options);
    expect((await fetch(`${tail.url}/health`)).status).toBe(503);
    await broker.startAgain();
    await tail.untilDrained(90_000);
    expect(await tail.metric('truecount_tail_outage')).toBe(0);
    expect(await tail.end('SIGTERM')).toBe(0);
  } finally {
    tail.child.kill('SIGKILL');
  }
  const onLog = (await readTopic([broker.address], topic)).map(({ value }) => value!.toString());
  expect(new Set(onLog).size).toBe(200);
});

it('a first start with a topic that is not there ends, and does not bind the state', async () => {
  const options = {
    home: join(broker.folder, 'no-topic'),
    brokers: [broker.address],
    topic: 'no-such-topic',
    args: [join(broker.folder, 'none.ndjson')],
  };
  mkdirSync(options.home);
  await expect(TailProcess.start(options)).rejects.toThrow('no-such-topic');
  const topic = await createTopic([broker.address], 1);
  const tail = await TailProcess.start({ ...options, topic });
  expect(await tail.end('SIGTERM')).toBe(0);
});
