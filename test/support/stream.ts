import { Partitioners, logLevel, Kafka } from 'kafkajs';
import type pg from 'pg';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { startStream } from '../../stream/service.js';
import type { StreamService, StreamServiceOptions } from '../../stream/service.js';
import type { TestDatabase } from './stack.js';
import { until } from './until.js';

/** A record to put on the log: lines as the generator gives them. */
export interface LogRecord {
  readonly line: string | Buffer;
  readonly key: string;
}

export interface Worker extends StreamService {
  readonly registry: Registry;
}

let workers = 0;

/** Starts a stream worker in this process. */
export function startWorker(
  brokers: readonly string[],
  database: Pick<TestDatabase, 'url'>,
  topics: readonly string[],
  overrides: Partial<StreamServiceOptions> = {},
): Worker {
  const registry = new Registry();
  const service = startStream({
    owner: `worker-${String(++workers)}`,
    postgres: { connectionString: database.url },
    ruleSet: DEFAULT_RULE_SET,
    flushIntervalMs: 100,
    flushClicksMax: 50_000,
    dedupeBytesMax: 256 * 1024 * 1024,
    kafka: { brokers: [...brokers], clientId: 'test-stream' },
    groupId: `stream-${topics.join()}`,
    topics,
    sessionTimeoutMs: 10_000,
    registry,
    log: pino({ level: process.env['TEST_LOG'] ?? 'silent' }),
    ...overrides,
  });
  return { ...service, registry };
}

/** Puts records on the log in order, keyed, `perSend` at a time; returns how many. */
export async function produce(
  brokers: readonly string[],
  topic: string,
  records: Iterable<LogRecord>,
  perSend = 5_000,
): Promise<number> {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  try {
    let sent = 0;
    let batch: { key: string; value: Buffer }[] = [];
    const send = async (): Promise<void> => {
      if (batch.length > 0) await producer.send({ topic, acks: -1, messages: batch });
      sent += batch.length;
      batch = [];
    };
    for (const { line, key } of records) {
      batch.push({ key, value: Buffer.from(line) });
      if (batch.length === perSend) await send();
    }
    await send();
    return sent;
  } finally {
    await producer.disconnect();
  }
}

/** End offsets of a topic, by partition. */
export async function endOffsets(
  brokers: readonly string[],
  topic: string,
): Promise<Map<number, number>> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const offsets = await admin.fetchTopicOffsets(topic);
    return new Map(offsets.map((o) => [o.partition, Number(o.high)]));
  } finally {
    await admin.disconnect();
  }
}

/** Waits until the stream has committed everything that is on the topic now. */
export async function untilCounted(
  pool: pg.Pool,
  brokers: readonly string[],
  topic: string,
  deadlineMs = 60_000,
): Promise<void> {
  const ends = await endOffsets(brokers, topic);
  await until(
    `everything of ${topic} counted`,
    async () => {
      const { rows } = await pool.query<{ partition: number; next_offset: string }>(
        'select partition, next_offset from stream_progress where topic = $1',
        [topic],
      );
      const next = new Map(rows.map((row) => [row.partition, Number(row.next_offset)]));
      return [...ends].every(([partition, end]) => (next.get(partition) ?? 0) >= end);
    },
    { deadlineMs },
  );
}

/** Cells as `ad|minute ms|filter` → count, zero cells left out. */
export type Cells = Map<string, number>;

/** All live cells, summed over partitions. */
export async function liveCells(pool: pg.Pool): Promise<Cells> {
  const { rows } = await pool.query<{ ad: string; ms: string; filter: string; n: string }>(
    `select ad_id as ad, extract(epoch from hour) * 1000 + (m.i - 1) * 60000 as ms, filter,
            sum(m.n) as n
       from live_cells, unnest(counts) with ordinality as m (n, i)
      where m.n <> 0 group by 1, 2, 3`,
  );
  return new Map(rows.map((r) => [`${r.ad}|${String(Number(r.ms))}|${r.filter}`, Number(r.n)]));
}

/** What differs between two sets of cells, both ways; empty when they are equal. */
export function cellDifferences(actual: Cells, expected: Cells): string[] {
  const differences: string[] = [];
  for (const [cell, n] of expected) {
    const got = actual.get(cell) ?? 0;
    if (got !== n) differences.push(`${cell}: ${String(got)} instead of ${String(n)}`);
  }
  for (const [cell, n] of actual)
    if (!expected.has(cell)) differences.push(`${cell}: extra ${String(n)}`);
  return differences;
}

/** One record as the log holds it. */
export interface LoggedRecord {
  readonly partition: number;
  readonly offset: number;
  /** The broker's append time. */
  readonly appendMs: number;
  readonly value: Buffer | null;
}

/** Everything on a topic, per partition in offset order: the independent witness of tests. */
export async function readTopic(
  brokers: readonly string[],
  topic: string,
): Promise<LoggedRecord[]> {
  const records: LoggedRecord[] = [];
  await eachRecord(brokers, topic, (record) => records.push(record));
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

/** The same without keeping it: in offset order within each partition. */
export async function eachRecord(
  brokers: readonly string[],
  topic: string,
  onRecord: (record: LoggedRecord) => void,
): Promise<void> {
  const ends = await endOffsets(brokers, topic);
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: `witness-${String(++workers)}-${topic}` });
  const next = new Map([...ends.keys()].map((partition) => [partition, 0]));
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: ({ batch }) => {
        const { partition } = batch;
        for (const { offset: text, timestamp, value } of batch.messages) {
          const offset = Number(text);
          if (offset < next.get(partition)!) continue;
          onRecord({ partition, offset, appendMs: Number(timestamp), value });
          next.set(partition, offset + 1);
        }
        return Promise.resolve();
      },
    });
    const records = [...ends.values()].reduce((sum, end) => sum + end, 0);
    await until(
      `${topic} read to its end`,
      () => [...ends].every(([partition, end]) => next.get(partition)! >= end),
      { deadlineMs: 30_000 + records / 5 },
    );
  } finally {
    await consumer.disconnect();
  }
}
