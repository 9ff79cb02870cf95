import { Writable } from 'node:stream';
import type { Admin } from 'kafkajs';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { audit } from '../../audit/audit.js';
import { KafkaLog } from '../../audit/kafka-log.js';
import type { Check } from '../../audit/report.js';
import { HOUR_MS } from '../../core/time.js';
import { cutHour } from '../../store/cut.js';
import { openSession } from '../../store/session.js';
import { freshDatabase, freshTopic, kafkaBrokers, testKafka } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';
import { produce, startWorker, untilCounted } from '../support/stream.js';
import type { LogRecord, Worker } from '../support/stream.js';
import { until } from '../support/until.js';

const START_MS = Date.UTC(2025, 5, 1, 0);

let database: TestDatabase;
let admin: Admin;
let topic: string;
let running: Worker | undefined;
let errors: Record<string, unknown>[];

beforeAll(async () => {
  admin = testKafka().admin();
  await admin.connect();
});
afterAll(async () => {
  await admin.disconnect();
});
beforeEach(async () => {
  database = await freshDatabase();
  topic = await freshTopic(1);
  errors = [];
});
afterEach(async () => {
  await stop();
  await database.close();
});

/** Distinct clicks by number: 100 in each minute of two hours in turn. */
function* clicks(from: number, to: number): Generator<LogRecord> {
  for (let n = from; n < to; n++) {
    const timestamp = START_MS + (n % 2) * HOUR_MS + (Math.floor(n / 100) % 60) * 60_000;
    const click = { event_id: `e${String(n)}`, ad_id: 'ad', timestamp };
    yield { key: 'ad', line: JSON.stringify(click) };
  }
}

function start(): Worker {
  const lines = new Writable({
    write(chunk: Buffer, _encoding, done) {
      errors.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
      done();
    },
  });
  running = startWorker(kafkaBrokers(), database, [topic], {
    log: pino({ level: 'error' }, lines),
  });
  return running;
}

async function stop(): Promise<void> {
  await running?.stop();
  running = undefined;
}

/**
 * A hundred to a record batch: deletion inside a batch does not take away what is in front of it,
 * the broker goes on giving the whole batch out.
 */
async function put(from: number, to: number): Promise<void> {
  await produce(kafkaBrokers(), topic, clicks(from, to), 100);
}

/** Puts clicks on the log, has them counted, and stops the worker. */
async function countAndStop(from: number, to: number): Promise<void> {
  start();
  await put(from, to);
  await untilCounted(database.pool, kafkaBrokers(), topic);
  await stop();
}

/** What retention does, at once: everything below the offset is gone. */
async function deleteBelow(offset: number): Promise<void> {
  const partitions = [{ partition: 0, offset: String(offset) }];
  // The client looks up the leader in metadata that only other requests load.
  await admin.fetchTopicOffsets(topic);
  await until('the records are deleted', async () => {
    await admin.deleteTopicRecords({ topic, partitions });
    const [bounds] = await admin.fetchTopicOffsets(topic);
    return Number(bounds!.low) === offset;
  });
}

async function rows(sql: string): Promise<Record<string, unknown>[]> {
  const { rows: found } = await database.pool.query<Record<string, unknown>>(sql);
  return found;
}

async function liveTotal(): Promise<number> {
  const [row] = await rows(
    `select coalesce(sum(n), 0)::int as n from live_cells, unnest(counts) n where filter = ''`,
  );
  return row!['n'] as number;
}

const lossIntervals = (): Promise<Record<string, unknown>[]> =>
  rows('select from_offset::int as "from", to_offset::int as "to", reason from loss_intervals');
const causes = (): Promise<Record<string, unknown>[]> =>
  rows('select hour, cause, detail from hour_causes order by hour, cause');

async function lostMetric(worker: Worker): Promise<number> {
  const metric = await worker.registry.getSingleMetric('truecount_lost_offsets_total')!.get();
  return metric.values[0]!.value;
}

async function auditCheck(invariant: string, name: string): Promise<Check> {
  const log = new KafkaLog(
    { brokers: kafkaBrokers(), clientId: 'test' },
    pino({ level: 'silent' }),
  );
  try {
    const report = await audit({ pool: database.pool, readLog: log.readLog, lake: null });
    return report.checks.find((c) => c.invariant === invariant && c.name === name)!;
  } finally {
    await log.close();
  }
}

describe('records that are gone before they were read', () => {
  test('are a loss interval and an alarm, audit names them, and the rest is counted', async () => {
    await countAndStop(0, 1_000);
    await put(1_000, 1_700);
    await deleteBelow(1_300);
    const worker = start();
    await untilCounted(database.pool, kafkaBrokers(), topic);

    expect(await lossIntervals()).toEqual([{ from: 1_000, to: 1_300, reason: 'retention' }]);
    expect(await rows('select sum(lost)::int as lost from flushes')).toEqual([{ lost: 300 }]);
    expect(await liveTotal()).toBe(1_000 + 400);
    expect(await lostMetric(worker)).toBe(300);
    expect(errors).toMatchObject([{ fromOffset: 1_000, toOffset: 1_300, reason: 'retention' }]);
    // The memory of the counted ones cannot be rebuilt either: their retries would count again.
    expect((await causes()).map((row) => row['cause'])).toEqual(['rebuild_loss', 'rebuild_loss']);

    const loss = await auditCheck('I3', 'loss');
    expect(loss.status).toBe('broken');
    expect(loss.examples).toMatchObject([
      { topic, partition: 0, from_offset: 1_000, to_offset: 1_300, reason: 'retention' },
    ]);
  });

  test('are noted too when nothing is left on the log', async () => {
    await countAndStop(0, 500);
    await put(500, 800);
    await deleteBelow(800);
    const worker = start();
    await untilCounted(database.pool, kafkaBrokers(), topic);
    expect(await lossIntervals()).toEqual([{ from: 500, to: 800, reason: 'retention' }]);
    expect(await liveTotal()).toBe(500);
    expect(await lostMetric(worker)).toBe(300);
  });

  test('are noted by a worker that has never counted anything', async () => {
    await put(0, 300);
    await deleteBelow(100);
    start();
    await untilCounted(database.pool, kafkaBrokers(), topic);
    expect(await lossIntervals()).toEqual([{ from: 0, to: 100, reason: 'retention' }]);
    expect(await liveTotal()).toBe(200);
    expect(await causes()).toEqual([]);
  });
});

test('counted records that are gone are a named cause of the hours not yet cut', async () => {
  await countAndStop(0, 1_000);
  const session = await openSession({
    connection: { connectionString: database.url },
    applicationName: 'test-cut',
  });
  try {
    await cutHour(session, START_MS);
  } finally {
    await session.end();
  }
  await deleteBelow(600);
  const worker = start();
  await put(1_000, 1_200);
  await untilCounted(database.pool, kafkaBrokers(), topic);

  expect(await lossIntervals()).toEqual([]);
  expect(await lostMetric(worker)).toBe(0);
  expect(await causes()).toEqual([
    {
      hour: new Date(START_MS + HOUR_MS),
      cause: 'rebuild_loss',
      detail: `offsets 0 to 600 of ${topic}/0 are gone from the log`,
    },
  ]);
  expect(await liveTotal()).toBe(1_000 + 100);
  expect(await rows('select count(*)::int as late from late_clicks')).toEqual([{ late: 100 }]);
});

describe('a topic that was deleted and made again', () => {
  async function makeAgain(): Promise<void> {
    await admin.deleteTopics({ topics: [topic] });
    await until('the topic is made again', async () => {
      const configEntries = [{ name: 'message.timestamp.type', value: 'LogAppendTime' }];
      const topics = [{ topic, numPartitions: 1, replicationFactor: -1, configEntries }];
      return admin.createTopics({ waitForLeaders: true, topics });
    });
  }

  test.each([
    ['empty', 0],
    ['shorter', 300],
  ])('and is %s is refused, and nothing of it is counted', async (_what, n) => {
    await countAndStop(0, 500);
    await makeAgain();
    await until('the new topic takes records', async () => {
      await put(1_000, 1_000 + n);
      return true;
    });
    const before = await rows('select next_offset from stream_progress');
    const worker = start();
    await expect(worker.done).rejects.toMatchObject({ code: 'log_went_backwards' });
    expect(await liveTotal()).toBe(500);
    expect(await rows('select next_offset from stream_progress')).toEqual(before);
    expect(await lossIntervals()).toEqual([]);
  });
});
