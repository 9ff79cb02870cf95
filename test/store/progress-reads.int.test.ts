import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { writeReadingSettings } from '../../store/reading-settings.js';
import { readHours } from '../../store/read/hours.js';
import { readPartitions } from '../../store/read/partitions.js';
import { freshDatabase, type TestDatabase } from '../support/stack.js';
import { emptyTables } from '../api/support/world.js';

const SETTINGS = {
  outOfOrdernessMs: 10_000,
  idleTimeoutMs: 60_000,
  leaseMs: 60_000,
  graceMs: 120_000,
};

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase();
  await writeReadingSettings(database.pool, SETTINGS);
  await database.pool.query(`insert into rule_sets values ('r', '{}')`);
});
afterAll(() => database.close());
beforeEach(() => emptyTables(database.pool, 'stream_progress', 'hours'));

interface PartitionRow {
  readonly maxEventMs?: number;
  readonly logEnd?: number;
  readonly seenAgo?: string;
  readonly atEndAgo?: string;
}

async function partition(number: number, row: PartitionRow): Promise<void> {
  await database.pool.query(
    `insert into stream_progress (topic, partition, epoch, owner, next_offset, max_event_ms,
                                  log_end_offset, seen_at, at_end_since)
     values ('clicks', $1, 7, 'w', 100, $2, $3, now() - $4::interval, now() - $5::interval)`,
    [number, row.maxEventMs ?? null, row.logEnd ?? null, row.seenAgo ?? null, row.atEndAgo ?? null],
  );
}

async function hour(startMs: number): Promise<boolean | undefined> {
  await database.pool.query(`insert into hours (hour, rule_set) values ($1, 'r')`, [
    new Date(startMs),
  ]);
  const { hours } = await readHours(database.pool, null);
  return hours[0]?.due;
}

const TEN = Date.UTC(2026, 10, 21, 10);
const ELEVEN = TEN + 3_600_000;
const DUE_EVENT_MS = ELEVEN + SETTINGS.graceMs + SETTINGS.outOfOrdernessMs;

test('an hour is due once the watermark has passed its end by the grace', async () => {
  await partition(0, { maxEventMs: DUE_EVENT_MS, seenAgo: '1 s' });
  expect(await hour(TEN)).toBe(true);
});

test('an hour is not due while the watermark is 1 ms short of that', async () => {
  await partition(0, { maxEventMs: DUE_EVENT_MS - 1, seenAgo: '1 s' });
  expect(await hour(TEN)).toBe(false);
});

test('an hour is not due while a partition that was never read holds the watermark', async () => {
  await partition(0, { maxEventMs: DUE_EVENT_MS, seenAgo: '1 s' });
  await partition(1, { seenAgo: '1 s' });
  expect(await hour(TEN)).toBe(false);
});

test('an hour long past is due without a watermark when the log is read to its end', async () => {
  await partition(0, { maxEventMs: TEN, seenAgo: '1 s', atEndAgo: '0 s' });
  expect(await hour(Date.UTC(2026, 0, 1, 10))).toBe(true);
});

test('an hour is not due by the clock while a partition is unowned', async () => {
  const longPast = Date.UTC(2026, 0, 1, 10);
  await partition(0, { maxEventMs: longPast, seenAgo: '61 s', atEndAgo: '0 s' });
  expect(await hour(longPast)).toBe(false);
});

test('an hour that is still going on is not due by the clock', async () => {
  const current = Math.floor(Date.now() / 3_600_000) * 3_600_000;
  await partition(0, { maxEventMs: TEN, seenAgo: '1 s', atEndAgo: '0 s' });
  expect(await hour(current)).toBe(false);
});

test('a cut hour is never due, and shows its cut, late clicks and causes', async () => {
  await partition(0, { maxEventMs: DUE_EVENT_MS, seenAgo: '1 s' });
  await hour(TEN);
  await database.pool.query(`update hours set state = 'cut', cut_at = now()`);
  await database.pool.query(`insert into hour_cuts select $1, slot, 60 from stream_progress`, [
    new Date(TEN),
  ]);
  await database.pool.query(
    `insert into hour_causes (hour, slot, cause, detail)
     select $1, slot, 'dedupe_overflow', 'given up' from stream_progress`,
    [new Date(TEN)],
  );
  const { hours } = await readHours(database.pool, { fromMs: TEN, toMs: ELEVEN });
  expect(hours).toMatchObject([
    {
      hourMs: TEN,
      due: false,
      cut: [{ topic: 'clicks', partition: 0, nextOffset: 60 }],
      causes: [{ cause: 'dedupe_overflow', detail: 'given up' }],
    },
  ]);
});

test('partitions tell lag, ownership and idleness, and an unknown lag from none', async () => {
  await partition(0, { maxEventMs: TEN, logEnd: 130, seenAgo: '1 s' });
  await partition(1, { maxEventMs: TEN, logEnd: 100, seenAgo: '1 s', atEndAgo: '2 min' });
  await partition(2, {});
  expect(await readPartitions(database.pool)).toMatchObject([
    { partition: 0, epoch: 7, lag: 30, owned: true, idle: false, watermarkMs: TEN - 10_000 },
    { partition: 1, lag: 0, owned: true, idle: true },
    { partition: 2, lag: null, owned: false, idle: false, watermarkMs: null, seenAtMs: null },
  ]);
});
