import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { globalWatermark, type PartitionProgress } from '../../core/watermark.js';
import { writeReadingSettings } from '../../store/reading-settings.js';
import { freshDatabase, type TestDatabase } from '../support/stack.js';

const NOW_MS = Date.UTC(2026, 10, 21, 12);
const SETTINGS = { outOfOrdernessMs: 5_000, idleTimeoutMs: 60_000, leaseMs: 30_000, graceMs: 1 };
const OPTIONS = { outOfOrdernessMs: 5_000, idleTimeoutMs: 60_000, nowMs: NOW_MS };

/** A partition as the table has it: times in ms before now. */
interface Row {
  readonly maxEventMs: number | null;
  readonly seenAgoMs: number | null;
  readonly atEndAgoMs: number | null;
}

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase();
  await writeReadingSettings(database.pool, SETTINGS);
});
afterAll(() => database.close());
beforeEach(() => database.pool.query('truncate stream_progress cascade'));

async function inSql(rows: readonly Row[]): Promise<number | null> {
  await database.pool.query('truncate stream_progress cascade');
  const ago = (ms: number | null) => (ms === null ? null : new Date(NOW_MS - ms));
  for (const [partition, row] of rows.entries()) {
    await database.pool.query(
      `insert into stream_progress (topic, partition, max_event_ms, seen_at, at_end_since)
       values ('clicks', $1, $2, $3, $4)`,
      [partition, row.maxEventMs, ago(row.seenAgoMs), ago(row.atEndAgoMs)],
    );
  }
  const { rows: found } = await database.pool.query<{ ms: string | null }>(
    'select global_watermark_ms($1) as ms',
    [new Date(NOW_MS)],
  );
  const ms = found[0]?.ms ?? null;
  return ms === null ? null : Number(ms);
}

function inCore(rows: readonly Row[]): number | null {
  const partitions = rows.map((row): PartitionProgress => ({
    maxEventMs: row.maxEventMs,
    owned: row.seenAgoMs !== null && row.seenAgoMs <= SETTINGS.leaseMs,
    atEndSinceMs: row.atEndAgoMs === null ? null : NOW_MS - row.atEndAgoMs,
  }));
  return globalWatermark(partitions, OPTIONS);
}

const busy = (maxEventMs: number | null): Row => ({ maxEventMs, seenAgoMs: 1, atEndAgoMs: null });
const idle = (maxEventMs: number | null): Row => ({ maxEventMs, seenAgoMs: 1, atEndAgoMs: 60_000 });

/** What it is about, the partitions, and the watermark by hand. */
const CASES: readonly (readonly [string, readonly Row[], number | null])[] = [
  ['no partition: none', [], null],
  ['one partition: its own', [busy(100_000)], 95_000],
  ['several: the least', [busy(100_000), busy(90_000)], 85_000],
  ['an idle one does not hold it back', [busy(100_000), idle(90_000)], 95_000],
  ['an idle one without any click does not either', [busy(100_000), idle(null)], 95_000],
  ['one that lags holds it back', [busy(100_000), { ...busy(90_000), seenAgoMs: 30_000 }], 85_000],
  [
    'one that is unowned holds it back, though at its end',
    [busy(100_000), { ...idle(90_000), seenAgoMs: 30_001 }],
    85_000,
  ],
  ['one never seen holds it back', [busy(100_000), { ...idle(90_000), seenAgoMs: null }], 85_000],
  [
    'at its end for less than the timeout is not idle',
    [busy(100_000), { ...idle(90_000), atEndAgoMs: 59_999 }],
    85_000,
  ],
  ['one never read: none', [busy(100_000), busy(null)], null],
  ['one never read and unowned: none', [busy(100_000), { ...idle(null), seenAgoMs: null }], null],
  ['all idle: the greatest', [idle(100_000), idle(90_000), idle(null)], 95_000],
  ['all idle and no click ever: none', [idle(null), idle(null)], null],
];

test.each(CASES)('%s', async (_name, rows, expected) => {
  expect(await inSql(rows)).toBe(expected);
  expect(inCore(rows)).toBe(expected);
});

test('SQL and core agree for random partitions', async () => {
  const row = fc.record({
    maxEventMs: fc.option(fc.integer({ min: NOW_MS - 10_000, max: NOW_MS }), { nil: null }),
    seenAgoMs: fc.constantFrom(null, -1_000, 0, 29_999, 30_000, 30_001, 90_000),
    atEndAgoMs: fc.constantFrom(null, 0, 59_999, 60_000, 60_001, 600_000),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 5 }), async (rows) => {
      expect(await inSql(rows)).toBe(inCore(rows));
    }),
    { numRuns: 150 },
  );
});

test('a topic that is no longer read holds the watermark back no longer', async () => {
  await inSql([busy(90_000)]);
  await database.pool.query(
    `insert into stream_progress (topic, partition, max_event_ms, seen_at)
     values ('clicks2', 0, 200000, $1)`,
    [new Date(NOW_MS)],
  );
  const watermark = async (): Promise<number> => {
    const sql = 'select global_watermark_ms($1) as ms';
    const { rows } = await database.pool.query<{ ms: string }>(sql, [new Date(NOW_MS)]);
    return Number(rows[0]!.ms);
  };
  expect(await watermark()).toBe(85_000);
  await writeReadingSettings(database.pool, { ...SETTINGS, topics: ['clicks2'] });
  try {
    expect(await watermark()).toBe(195_000);
  } finally {
    await writeReadingSettings(database.pool, SETTINGS);
  }
});
