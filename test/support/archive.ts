import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type pg from 'pg';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect } from 'vitest';
import { shredClick } from '../../core/click/shred.js';
import { hourOf, minuteOfHour } from '../../core/time.js';
import { FIELD_COLUMNS } from '../../lake/columns.js';
import { openLake } from '../../lake/open.js';
import type { LakeStore } from '../../lake/store.js';
import { fetchVerified } from '../../lake/verify.js';
import { startArchive } from '../../stream/archive/service.js';
import type { ArchiveService, ArchiveServiceOptions } from '../../stream/archive/service.js';
import { kafkaBrokers } from './stack.js';
import type { TestDatabase } from './stack.js';
import { endOffsets, eachRecord } from './stream.js';
import { until } from './until.js';

export interface Archiver extends ArchiveService {
  readonly registry: Registry;
  readonly lake: LakeStore;
}

let archivers = 0;

/** Starts an archiver in this process, with its lake under `folder`. */
export async function startArchiver(
  database: Pick<TestDatabase, 'url'>,
  topics: readonly string[],
  overrides: Partial<ArchiveServiceOptions> & { readonly folder: string },
): Promise<Archiver> {
  const registry = new Registry();
  const lake = openLake(join(overrides.folder, `lake-${topics.join()}`));
  const service = await startArchive({
    owner: `archiver-${String(++archivers)}`,
    postgres: { connectionString: database.url },
    lake,
    workFolder: join(overrides.folder, 'work'),
    flushIntervalMs: 100,
    flushBytesMax: 32 * 1024 * 1024,
    buckets: 4,
    sharedRowsMax: 1_000,
    kafka: { brokers: kafkaBrokers(), clientId: 'test-archive' },
    groupId: `archive-${topics.join()}`,
    topics,
    sessionTimeoutMs: 10_000,
    registry,
    log: pino({ level: process.env['TEST_LOG'] ?? 'silent' }),
    ...overrides,
  });
  return { ...service, registry, lake };
}

/** Waits until the archive has committed everything that is on the topic now. */
export async function untilArchived(
  pool: pg.Pool,
  brokers: readonly string[],
  topic: string,
  deadlineMs = 60_000,
): Promise<void> {
  const ends = await endOffsets(brokers, topic);
  await until(
    `everything of ${topic} archived`,
    async () => {
      const next = await archivedTo(pool, topic);
      return [...ends].every(([partition, end]) => (next.get(partition) ?? 0) >= end);
    },
    { deadlineMs },
  );
}

/** The archive's position, by partition. */
export async function archivedTo(pool: pg.Pool, topic: string): Promise<Map<number, number>> {
  const { rows } = await pool.query<{ partition: number; next: string }>(
    `select p.partition, a.next_offset as next
       from archive_progress a join stream_progress p using (slot) where p.topic = $1`,
    [topic],
  );
  return new Map(rows.map((row) => [row.partition, Number(row.next)]));
}

/** A row of the lake as one text, for comparison. */
type Rows = Map<string, number>;

/** Every row of every listed file (or one), after the checks that readers make. */
export async function lakeRows(pool: pg.Pool, lake: LakeStore, only?: string): Promise<Rows> {
  const { rows: files } = await pool.query<{
    key: string;
    bytes: string;
    sha256: string;
    rows: string;
  }>(
    'select key, bytes, sha256, rows from lake_files where $1::text is null or key = $1 order by id',
    [only ?? null],
  );
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  const all: Rows = new Map();
  try {
    for (const file of files) {
      const fetched = await fetchVerified(lake, { ...file, bytes: Number(file.bytes) });
      const reader = await connection.runAndReadAll(
        `select topic, partition, log_offset, append_ms, event_ms, ad_id, event_id,
                ${FIELD_COLUMNS.join(', ')}, rest from read_parquet('${fetched.path}')`,
      );
      const read = reader.getRows();
      expect(read.length, `rows of ${file.key}`).toBe(Number(file.rows));
      for (const row of read) {
        const text = JSON.stringify(row.map((v) => (typeof v === 'bigint' ? Number(v) : v)));
        all.set(text, (all.get(text) ?? 0) + 1);
      }
      await fetched.release();
    }
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
  return all;
}

export interface Archived {
  readonly clicks: number;
  readonly rejected: number;
  readonly files: number;
}

/**
 * Compares the lake with the topic, read by another consumer: every click exactly once with every
 * field; the manifest's rows, hours, ranges, minutes and conservation as they follow from it.
 */
export async function expectArchived(
  pool: pg.Pool,
  topic: string,
  lake: LakeStore,
  brokers: readonly string[] = kafkaBrokers(),
): Promise<Archived> {
  const expected: Rows = new Map();
  const minutes = new Map<string, number>();
  const hours = new Map<number, number>();
  let clicks = 0;
  let rejected = 0;
  await eachRecord(brokers, topic, ({ partition, offset, value, appendMs }) => {
    const click = shredClick(value, appendMs);
    if (click.kind === 'rejected') {
      rejected++;
      return;
    }
    clicks++;
    const { eventMs, adId, eventId, fields, rest } = click;
    const row = [topic, partition, offset, appendMs, eventMs, adId, eventId, ...fields, rest];
    expected.set(JSON.stringify(row), 1);
    const hour = hourOf(eventMs);
    hours.set(hour, (hours.get(hour) ?? 0) + 1);
    const minute = `${String(partition)} ${String(hour)} ${String(minuteOfHour(eventMs))}`;
    minutes.set(minute, (minutes.get(minute) ?? 0) + 1);
  });
  const actual = await lakeRows(pool, lake);
  const differences = [
    ...[...expected.keys()].filter((row) => !actual.has(row)).map((row) => `missing ${row}`),
    ...[...actual].filter(([row, n]) => n !== expected.get(row)).map(([row, n]) => `${n}× ${row}`),
  ];
  expect(differences.slice(0, 10), 'differences between lake and log').toEqual([]);
  expect(await manifestHours(pool)).toEqual(hours);
  expect(await archivedMinutes(pool)).toEqual(minutes);
  await expectCovered(pool, topic);
  const { rows } = await pool.query<{ files: string; rejected: string; archived: string }>(
    `select (select count(*) from lake_files) as files, sum(rejected) as rejected,
            sum(archived) as archived from archive_flushes`,
  );
  expect(Number(rows[0]!.rejected)).toBe(rejected);
  expect(Number(rows[0]!.archived)).toBe(clicks);
  return { clicks, rejected, files: Number(rows[0]!.files) };
}

async function manifestHours(pool: pg.Pool): Promise<Map<number, number>> {
  const { rows } = await pool.query<{ hour: Date; n: string }>(
    'select hour, sum(rows) as n from lake_file_hours group by 1',
  );
  return new Map(rows.map((row) => [row.hour.getTime(), Number(row.n)]));
}

async function archivedMinutes(pool: pg.Pool): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ key: string; n: number }>(
    `select p.partition || ' ' || (extract(epoch from f.hour) * 1000)::bigint || ' ' || (m.i - 1)
              as key, m.n
       from archive_flow f join stream_progress p using (slot),
            unnest(f.received) with ordinality as m (n, i) where m.n > 0`,
  );
  return new Map(rows.map((row) => [row.key, row.n]));
}

/** The ranges of every slot follow each other from 0 to the position, and hold what files hold. */
async function expectCovered(pool: pg.Pool, topic: string): Promise<void> {
  const { rows } = await pool.query<{ gaps: string; reached: string; next: string; rows: boolean }>(
    `select count(*) filter (where f.from_offset <> f.before) as gaps, max(f.to_offset) as reached,
            a.next_offset as next,
            sum(f.archived) = (select coalesce(sum(r.rows), 0) from lake_file_ranges r
                                where r.slot = a.slot) as rows
       from archive_progress a join stream_progress p using (slot)
       join (select *, coalesce(lag(to_offset) over (partition by slot order by from_offset), 0)
                         as before from archive_flushes) f using (slot)
      where p.topic = $1 group by a.slot`,
    [topic],
  );
  for (const row of rows) expect(row).toMatchObject({ gaps: '0', reached: row.next, rows: true });
}

/** Objects under clicks/ that the manifest does not list, in order. */
export async function orphansOf(pool: pg.Pool, lake: LakeStore): Promise<string[]> {
  const { rows } = await pool.query<{ key: string }>('select key from lake_files');
  const listed = new Set(rows.map((row) => row.key));
  const orphans: string[] = [];
  for await (const { key } of lake.list('clicks/')) if (!listed.has(key)) orphans.push(key);
  return orphans.sort();
}
