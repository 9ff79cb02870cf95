import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Cut } from '../../core/cut.js';
import { bucketOf } from '../../core/lake-file.js';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { HOUR_MS } from '../../core/time.js';
import { generateClicks } from '../../ingest/generator/generate.js';
import { cutHour } from '../../store/cut.js';
import { archiveCoverage, filesOfHour, wantArchived } from '../../store/lake/manifest.js';
import { openSession } from '../../store/session.js';
import { recomputeHour } from '../final/recompute.js';
import { expectArchived, lakeRows, startArchiver, untilArchived } from '../support/archive.js';
import type { Archiver } from '../support/archive.js';
import { storeHour } from '../support/cell-rows.js';
import { freshDatabase, freshTopic, kafkaBrokers } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';
import { endOffsets, produce, startWorker, untilCounted } from '../support/stream.js';
import type { LogRecord } from '../support/stream.js';
import { until } from '../support/until.js';

const START_MS = Date.UTC(2025, 5, 1);

let dir: string;
let database: TestDatabase;
let running: Archiver[] = [];

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'archive-test-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(async () => {
  await stopAll();
  await database.close();
});

async function start(
  topic: string,
  overrides: Partial<Parameters<typeof startArchiver>[2]> = {},
  of: TestDatabase = database,
): Promise<Archiver> {
  const archiver = await startArchiver(of, [topic], { folder: dir, ...overrides });
  running.push(archiver);
  return archiver;
}

async function stopAll(): Promise<void> {
  await Promise.all(running.map((archiver) => archiver.stop()));
  running = [];
}

async function rows(sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  return (await database.pool.query<Record<string, unknown>>(sql, values)).rows;
}

/** Clicks by number, each in its own minute of `hours` hours in turn. */
function* clicks(from: number, to: number, hours: number): Generator<LogRecord> {
  for (let n = from; n < to; n++) {
    const timestamp = START_MS + (n % hours) * HOUR_MS + (n % 60) * 60_000;
    const ad = `ad-${String(n % 50)}`;
    const click = { event_id: `e${String(n)}`, ad_id: ad, timestamp, ip: '10.0.0.1', n };
    yield { key: ad, line: JSON.stringify(click) };
  }
}

const generated = (seed: number, count: number) =>
  generateClicks({ clicks: count, seed, hours: 5, withTruth: false });

test('every click of the log is in the lake exactly once, with every field', async () => {
  const topic = await freshTopic(3);
  await produce(kafkaBrokers(), topic, generated(4, 30_000));
  const archiver = await start(topic, { sharedRowsMax: 2_000 });
  await untilArchived(database.pool, kafkaBrokers(), topic);
  await stopAll();
  const { clicks: archived, rejected } = await expectArchived(database.pool, topic, archiver.lake);
  expect(archived).toBeGreaterThan(29_000);
  expect(rejected).toBeGreaterThan(50);
  const [kinds] = await rows(
    `select bool_or(key like 'clicks/shared/b0of1/%') as shared,
            bool_or(key like 'clicks/2025-11-21T__/b_of4/%') as own from lake_files`,
  );
  expect(kinds).toEqual({ shared: true, own: true });
});

test('a file of a bucket holds the ads of that bucket, within the event times it is listed with', async () => {
  const topic = await freshTopic(2);
  await produce(kafkaBrokers(), topic, clicks(0, 5_000, 1));
  const archiver = await start(topic, { sharedRowsMax: 100, flushIntervalMs: 500 });
  await untilArchived(database.pool, kafkaBrokers(), topic);
  await stopAll();
  const files = await rows(
    'select key, bucket, buckets, min_event_ms, max_event_ms from lake_files',
  );
  expect(new Set(files.map((file) => file['bucket']))).toEqual(new Set([0, 1, 2, 3]));
  for (const file of files) {
    const found = await lakeRows(database.pool, archiver.lake, String(file['key']));
    const parsed = [...found.keys()].map((text) => JSON.parse(text) as unknown[]);
    for (const row of parsed) {
      expect(bucketOf(Buffer.from(String(row[5])), 4)).toBe(file['bucket']);
    }
    const times = parsed.map((row) => Number(row[4]));
    expect(Math.min(...times)).toBe(Number(file['min_event_ms']));
    expect(Math.max(...times)).toBe(Number(file['max_event_ms']));
  }
});

test('two archivers share the partitions, and one takes over from the other', async () => {
  const topic = await freshTopic(4);
  await produce(kafkaBrokers(), topic, generated(5, 20_000));
  const [first] = await Promise.all([start(topic), start(topic)]);
  await until('both own partitions', async () => {
    const owners = await rows(
      'select distinct owner from archive_progress where owner is not null',
    );
    return owners.length === 2;
  });
  await produce(kafkaBrokers(), topic, generated(6, 10_000));
  await first.stop();
  running = running.filter((archiver) => archiver !== first);
  await produce(kafkaBrokers(), topic, generated(7, 5_000));
  await untilArchived(database.pool, kafkaBrokers(), topic);
  await stopAll();
  await expectArchived(database.pool, topic, first.lake);
});

describe('archived again with another number of buckets', () => {
  let topic: string;
  let again: TestDatabase;

  beforeEach(async () => {
    topic = await freshTopic(2);
    await produce(kafkaBrokers(), topic, generated(8, 20_000));
    again = await freshDatabase();
    return () => again.close();
  });

  async function archiveTwice(
    first: Partial<Parameters<typeof startArchiver>[2]>,
    second: Partial<Parameters<typeof startArchiver>[2]>,
  ): Promise<[Archiver, Archiver]> {
    const folder = join(dir, `again-${topic}`);
    const one = await start(topic, first);
    const other = await start(topic, { folder, groupId: `again-${topic}`, ...second }, again);
    await untilArchived(database.pool, kafkaBrokers(), topic);
    await untilArchived(again.pool, kafkaBrokers(), topic);
    await stopAll();
    return [one, other];
  }

  test('the lake holds the same clicks', async () => {
    const [one, other] = await archiveTwice(
      { buckets: 4, sharedRowsMax: 100 },
      { buckets: 3, sharedRowsMax: 500, flushIntervalMs: 700 },
    );
    const files = await again.pool.query('select from lake_files where buckets = 3');
    expect(files.rowCount).toBeGreaterThan(0);
    expect(await lakeRows(again.pool, other.lake)).toEqual(await lakeRows(database.pool, one.lake));
  });

  test('an hour has the same cells, counted in other tasks (I5)', async () => {
    const [one, other] = await archiveTwice(
      { buckets: 4, sharedRowsMax: 1 },
      { buckets: 3, sharedRowsMax: 1, flushIntervalMs: 700 },
    );
    const ends = [...(await endOffsets(kafkaBrokers(), topic))];
    const cut = ends.map(([partition, end]) => {
      return { topic, partition, nextOffset: Math.floor(end * 0.9) };
    });
    // The cut goes through the newest of them.
    const hours = await rows(
      `select hour from lake_file_hours group by hour
        having sum(rows) > 2000 order by hour desc limit 2`,
    );
    expect(hours).toHaveLength(2);
    for (const { hour } of hours) {
      const hourMs = (hour as Date).getTime();
      const first = await recomputed(database, one, hourMs, cut);
      const second = await recomputed(again, other, hourMs, cut);
      expect([first.tasks, second.tasks]).toEqual([4, 3]);
      expect(first.clicks).toBeGreaterThan(1_000);
      const { checksum, cells, clicks } = first;
      expect(second).toMatchObject({ checksum, cells, clicks, existed: false });
    }
  });

  async function recomputed(
    of: TestDatabase,
    { lake }: Archiver,
    hourMs: number,
    cut: Cut,
  ): ReturnType<typeof recomputeHour> {
    const ruleSet = DEFAULT_RULE_SET;
    await storeHour(of, hourMs, ruleSet, cut);
    const session = await openSession({
      connection: { connectionString: of.url },
      applicationName: 'test-recompute',
    });
    try {
      return await recomputeHour(session, lake, { hourMs, cut, ruleSet }, 1);
    } finally {
      await session.end();
    }
  }
});

test('one large fetch is archived in commits that each stay within the bound', async () => {
  const topic = await freshTopic(1);
  await produce(kafkaBrokers(), topic, clicks(0, 30_000, 2));
  const bytesMax = 1024 * 1024;
  const archiver = await start(topic, { flushBytesMax: bytesMax, flushIntervalMs: 3_000 });
  await untilArchived(database.pool, kafkaBrokers(), topic);
  await stopAll();
  await expectArchived(database.pool, topic, archiver.lake);
  const [flushes] = await rows(
    'select max(archived)::int as most, count(*)::int as n from archive_flushes',
  );
  expect(flushes!['n']).toBeGreaterThan(5);
  expect(flushes!['most']).toBeLessThan(bytesMax / 176 + 1);
});

test('clicks of 5,000 hours are archived, in files that hours share', async () => {
  const topic = await freshTopic(1);
  await produce(kafkaBrokers(), topic, clicks(0, 5_000, 5_000));
  const archiver = await start(topic);
  await untilArchived(database.pool, kafkaBrokers(), topic);
  await stopAll();
  const { files } = await expectArchived(database.pool, topic, archiver.lake);
  expect(files).toBeLessThan(20);
});

describe('coverage', () => {
  test('is reached when the archive has passed the cut, and names files below it', async () => {
    const topic = await freshTopic(1);
    await produce(kafkaBrokers(), topic, clicks(0, 1_000, 2));
    const client = await database.pool.connect();
    try {
      const cut: Cut = [{ topic, partition: 0, nextOffset: 1_000 }];
      const behind = { topic, partition: 0, nextOffset: 0, wanted: 1_000 };
      const before = { reached: false, behind: [behind], losses: [] };
      expect(await archiveCoverage(client, cut)).toEqual(before);
      await start(topic, { sharedRowsMax: 10 });
      await untilArchived(database.pool, kafkaBrokers(), topic);
      await produce(kafkaBrokers(), topic, clicks(1_000, 1_500, 2));
      await untilArchived(database.pool, kafkaBrokers(), topic);
      expect(await archiveCoverage(client, cut)).toEqual({ reached: true, behind: [], losses: [] });
      const files = await filesOfHour(client, START_MS, cut);
      const all = await filesOfHour(client, START_MS, [{ ...cut[0]!, nextOffset: 1_500 }]);
      expect(files.reduce((sum, file) => sum + file.rows, 0)).toBe(500);
      expect(all.reduce((sum, file) => sum + file.rows, 0)).toBe(750);
      expect(new Set(files.map((file) => file.buckets))).toEqual(new Set([4]));
      expect(await filesOfHour(client, START_MS + 9 * HOUR_MS, cut)).toEqual([]);
      expect(await filesOfHour(client, START_MS, [])).toEqual([]);
    } finally {
      client.release();
    }
  });

  test('comes early where somebody waits: for the cut of an hour, or for a later one', async () => {
    const topic = await freshTopic(2);
    await produce(kafkaBrokers(), topic, clicks(0, 1_000, 1));
    const worker = startWorker(kafkaBrokers(), database, [topic]);
    await start(topic, { flushIntervalMs: 600_000 });
    const session = await openSession({
      connection: { connectionString: database.url },
      applicationName: 'test-cut',
    });
    try {
      await untilCounted(database.pool, kafkaBrokers(), topic);
      const { cut } = await cutHour(session, START_MS);
      expect(cut).not.toEqual([]);
      const reached = async (): Promise<boolean> => (await archiveCoverage(session, cut)).reached;
      await until('the cut is archived', reached, { deadlineMs: 20_000 });
      await produce(kafkaBrokers(), topic, clicks(1_000, 2_000, 1));
      await untilCounted(database.pool, kafkaBrokers(), topic);
      const { rows: now } = await session.query<{ partition: number; next: string }>(
        'select partition, next_offset as next from stream_progress',
      );
      const later = now.map(({ partition, next }) => ({
        topic,
        partition,
        nextOffset: Number(next),
      }));
      expect((await archiveCoverage(session, later)).reached).toBe(false);
      await wantArchived(session, later);
      const reachedLater = async (): Promise<boolean> =>
        (await archiveCoverage(session, later)).reached;
      await until('the later cut is archived', reachedLater, { deadlineMs: 20_000 });
    } finally {
      await session.end();
      await worker.stop();
    }
  });
});

test('while the lake is away the archive waits and says so, and then archives all', async () => {
  const topic = await freshTopic(1);
  const folder = join(dir, 'away');
  mkdirSync(folder);
  const inTheWay = join(folder, `lake-${topic}`);
  writeFileSync(inTheWay, 'no folder');
  await produce(kafkaBrokers(), topic, clicks(0, 1_000, 1));
  const archiver = await start(topic, { folder });
  await until(
    'it says that the lake has failed',
    () => archiver.problem()?.startsWith('the lake'),
    {
      deadlineMs: 30_000,
    },
  );
  expect(await rows('select from archive_flushes')).toEqual([]);
  rmSync(inTheWay);
  await untilArchived(database.pool, kafkaBrokers(), topic);
  expect(archiver.problem()).toBeUndefined();
  await stopAll();
  await expectArchived(database.pool, topic, archiver.lake);
});

test('a partition that the archive sees first is counted by the stream as if it were new', async () => {
  const topic = await freshTopic(1);
  await produce(kafkaBrokers(), topic, clicks(0, 500, 1));
  await start(topic);
  await untilArchived(database.pool, kafkaBrokers(), topic);
  expect(await rows('select epoch::int, next_offset::int from stream_progress')).toEqual([
    { epoch: 0, next_offset: 0 },
  ]);
  const worker = startWorker(kafkaBrokers(), database, [topic]);
  await untilCounted(database.pool, kafkaBrokers(), topic);
  await worker.stop();
  expect(await rows('select sum(counted)::int as n from flushes')).toEqual([{ n: 500 }]);
});
