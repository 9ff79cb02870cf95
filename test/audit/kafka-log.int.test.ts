import { Partitioners } from 'kafkajs';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { audit } from '../../audit/audit.js';
import { KafkaLog } from '../../audit/kafka-log.js';
import type { LogRecord } from '../../core/count.js';
import { generateClicks } from '../../ingest/generator/generate.js';
import { cutHour } from '../../store/cut.js';
import { freshDatabase, freshTopic, kafkaBrokers, testKafka } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';
import { produce, startWorker, untilCounted } from '../support/stream.js';
import { until } from '../support/until.js';

let log: KafkaLog;

beforeEach(() => {
  log = new KafkaLog({ brokers: kafkaBrokers(), clientId: 'audit' }, pino({ level: 'silent' }));
});

afterEach(async () => {
  await log.close();
});

async function read(topic: string, partition = 0, end = Infinity): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const record of (await log.readLog(topic, partition, end)).records) {
    records.push(record);
  }
  return records;
}

/** What is not about the log. */
const OTHERS = ['suite', 'lake_files', 'lake_strays', 'recomputed'];

const textOf = ({ offset, value }: LogRecord): [number, string | null] => [
  offset,
  value === null ? null : Buffer.from(value).toString(),
];

describe('the log in Kafka', () => {
  it('is read to a given offset, values of no bytes and no value told apart', async () => {
    const topic = await freshTopic(1);
    const producer = testKafka().producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    const before = Date.now();
    await producer.send({ topic, messages: [{ value: 'a' }, { value: '' }, { value: null }] });
    await producer.send({ topic, messages: [{ value: 'd' }] });
    await producer.disconnect();
    const records = await read(topic);
    expect(records.map(textOf)).toEqual([
      [0, 'a'],
      [1, ''],
      [2, null],
      [3, 'd'],
    ]);
    expect(records[0]).toMatchObject({ topic, partition: 0 });
    expect(records[0]!.appendMs).toBeGreaterThanOrEqual(before - 1_000);
    expect((await read(topic, 0, 2)).map(({ offset }) => offset)).toEqual([0, 1]);
  });

  it('ends at an empty partition, and at one that ends with transaction markers', async () => {
    const topic = await freshTopic(2);
    const producer = testKafka().producer({
      transactionalId: `audit-${topic}`,
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    for (const [value, commit] of [
      ['kept', true],
      ['aborted', false],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ partition: 1, value }] });
      await (commit ? transaction.commit() : transaction.abort());
    }
    await producer.disconnect();
    expect(await read(topic, 0)).toEqual([]);
    const opened = await until('the markers to be readable', async () => {
      const answer = await log.readLog(topic, 1, Infinity);
      return answer.logEndOffset === 4 ? answer : null;
    });
    expect(opened).toMatchObject({ logStartOffset: 0 });
    expect((await read(topic, 1)).map(textOf)).toEqual([[0, 'kept']]);
  });

  it('tells where it begins after records were deleted, and reads on from there', async () => {
    const topic = await freshTopic(1);
    const lines = ['a', 'b', 'c'].map((line) => ({ line, key: 'k' }));
    await produce(kafkaBrokers(), topic, lines);
    const admin = testKafka().admin();
    await admin.connect();
    await admin.fetchTopicOffsets(topic); // kafkajs needs the topic's metadata loaded
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] });
    await admin.disconnect();
    expect((await log.readLog(topic, 0, 3)).logStartOffset).toBe(2);
    expect((await read(topic)).map(textOf)).toEqual([[2, 'c']]);
  });

  it('says not_found for a topic or a partition that does not exist', async () => {
    const topic = await freshTopic(1);
    await expect(read('no-such-topic')).rejects.toMatchObject({ code: 'not_found' });
    await expect(read(topic, 1)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('with the real stream', () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await freshDatabase();
  });

  afterEach(async () => {
    await database.close();
  });

  it('nothing is broken while it counts, when hours are cut, and after clicks came late', async () => {
    const topic = await freshTopic(3);
    const clicks = [...generateClicks({ clicks: 20_000, seed: 3, mapUk: true })];
    await produce(kafkaBrokers(), topic, clicks.slice(0, 15_000));
    const worker = startWorker(kafkaBrokers(), database, [topic]);
    const check = () => audit({ pool: database.pool, readLog: log.readLog, lake: null });
    const stateChecks = (report: Awaited<ReturnType<typeof check>>) =>
      report.checks.filter(({ status, name }) => status !== 'ok' && !OTHERS.includes(name));
    try {
      await until('some of it counted', async () => {
        const { rows } = await database.pool.query('select 1 from flushes');
        return rows.length > 0;
      });
      expect(stateChecks(await check())).toEqual([]);
      await untilCounted(database.pool, kafkaBrokers(), topic);
      await cutAll();
      await produce(kafkaBrokers(), topic, clicks.slice(15_000));
      await untilCounted(database.pool, kafkaBrokers(), topic);
      const report = await check();
      expect(stateChecks(report)).toEqual([]);
      const late = report.checks.find(({ name }) => name === 'late_against_log');
      expect(late?.checked['late clicks']).toBeGreaterThan(100);
    } finally {
      await worker.stop();
    }
    await leavesNoGroup(`stream-${topic}`);
  });

  async function cutAll(): Promise<void> {
    const client = await database.pool.connect();
    try {
      const { rows } = await client.query<{ hour: Date; rule_set: string }>('select * from hours');
      for (const row of rows) await cutHour(client, row.hour.getTime());
    } finally {
      client.release();
    }
  }

  async function leavesNoGroup(streams: string): Promise<void> {
    const admin = testKafka().admin();
    await admin.connect();
    const { groups } = await admin.listGroups();
    await admin.disconnect();
    const names = groups.map(({ groupId }) => groupId);
    expect(names).toContain(streams);
    expect(names.filter((name) => name.includes('audit'))).toEqual([]);
  }
});
