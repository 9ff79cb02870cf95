import type { Kafka } from 'kafkajs';
import { thousands } from '../support/report.js';
import { bodyOf } from './clicks.js';
import type { LoadResult, LoadTask } from './load.js';
import { until } from './processes.js';

/** What the clients were told, beside what the log holds. */
export interface OnTheLog {
  readonly records: number;
  /** Of each click, how often it is on the log. */
  readonly copies: Uint16Array;
  readonly acknowledged: number;
  readonly unacknowledged: number;
  readonly verdict: string;
  readonly failures: readonly string[];
}

/** Reads the topic: every acknowledged click must be there just as it was sent. */
export async function readLog(
  kafka: Kafka,
  topic: string,
  task: LoadTask,
  result: LoadResult,
): Promise<OnTheLog> {
  const clicks = result.requests * task.clicks;
  const copies = new Uint16Array(clicks);
  let [records, changed, foreign] = [0, 0, 0];
  const prefix = `{"event_id":"${task.run}-`;
  await eachValue(kafka, topic, (value) => {
    records++;
    const n = value.startsWith(prefix) ? Number.parseInt(value.slice(prefix.length), 10) : -1;
    if (n < 0 || n >= clicks) foreign++;
    else if (value !== bodyOf(task, n)) changed++;
    else copies[n]!++;
  });
  const isAcked = (n: number): boolean =>
    !Number.isNaN(result.latenciesMs[Math.floor(n / task.clicks)]!);
  return { records, copies, ...verdictOf(copies, isAcked, { changed, foreign }) };
}

/** Compares how often clicks are on the log with what clients were told. */
export function verdictOf(
  copies: Uint16Array,
  isAcked: (n: number) => boolean,
  others: { readonly changed: number; readonly foreign: number },
): Omit<OnTheLog, 'records' | 'copies'> {
  const sum = (of: (n: number) => boolean): number =>
    copies.reduce((count, _, n) => count + (of(n) ? 1 : 0), 0);
  const unacknowledged = sum((n) => !isAcked(n));
  const acknowledged = copies.length - unacknowledged;
  const lost = sum((n) => isAcked(n) && copies[n] === 0);
  const repeated = sum((n) => copies[n]! > 1);
  const stored = sum((n) => !isAcked(n) && copies[n]! > 0);
  const { changed, foreign } = others;
  const verdict =
    `${thousands(acknowledged)} clicks acknowledged, ${thousands(lost)} of them not on the log; ` +
    `${thousands(unacknowledged)} not acknowledged, ${thousands(stored)} of them on the log; ` +
    `${thousands(repeated)} ids on it more than once; ` +
    `${thousands(changed)} changed, ${thousands(foreign)} foreign`;
  const failures = Object.entries({ lost, changed, foreign })
    .filter(([, n]) => n > 0)
    .map(([what, n]) => `${thousands(n)} clicks are ${what}`);
  return { acknowledged, unacknowledged, verdict, failures };
}

async function eachValue(kafka: Kafka, topic: string, see: (value: string) => void): Promise<void> {
  const admin = kafka.admin();
  const consumer = kafka.consumer({ groupId: `check-${String(Date.now())}` });
  await Promise.all([admin.connect(), consumer.connect()]);
  const ends = await admin.fetchTopicOffsets(topic);
  const next = new Map<number, number>();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: ({ batch }) => {
      for (const { offset, value } of batch.messages) {
        if (Number(offset) < (next.get(batch.partition) ?? 0)) continue;
        next.set(batch.partition, Number(offset) + 1);
        see(String(value));
      }
      return Promise.resolve();
    },
  });
  const atEnd = (): boolean =>
    ends.every(({ partition, high }) => (next.get(partition) ?? 0) >= Number(high));
  await until('the topic is read', () => Promise.resolve(atEnd()));
  await Promise.all([admin.disconnect(), consumer.disconnect()]);
}
