/**
 * Sliding counts and top lists by the length of their window, over hours that are all final: what the
 * bound of a window (WINDOW_DAYS_MAX) costs. Medians; one connection, the settings of a read pool.
 */
import type pg from 'pg';
import { WINDOW_DAYS_MAX } from '../core/range.js';
import { DAY_MS } from '../core/time.js';
import { releaseMigrations } from '../runtime/database.js';
import { migrate } from '../store/migrate.js';
import { readAggregatedCount } from '../store/read/aggregated-count.js';
import { readTopAds } from '../store/read/top-ads.js';
import { startPostgres } from './live-layout/postgres.js';
import { median, thousands, type Report, type Row } from './support/report.js';

const START_MS = Date.UTC(2025, 10, 1);
const ROUNDS = 5;
const WORLDS = [
  { ads: 1_000, days: [1, 7, 31] },
  { ads: 100, days: [1, 31, 92, WINDOW_DAYS_MAX] },
];

export async function benchWindows(): Promise<Report> {
  const postgres = await startPostgres();
  try {
    const client = await postgres.connect();
    await migrate(client, releaseMigrations());
    await seedHours(client);
    const rows: Row[] = [];
    for (const { ads, days } of WORLDS) {
      await fill(client, ads, Math.max(...days));
      for (const length of days) rows.push(await measure(client, ads, length));
    }
    await client.end();
    const notes = [`median of ${String(ROUNDS)} after one; every ad is clicked in every minute`];
    return { name: 'windows', rows, notes };
  } finally {
    await postgres.stop();
  }
}

/** A year of hours, each served by a generation without cells yet. */
async function seedHours(client: pg.Client): Promise<void> {
  const values = [new Date(START_MS), WINDOW_DAYS_MAX * 24 - 1];
  const hours = `generate_series(0, $2::integer) n
                 cross join lateral (select $1::timestamptz + n * interval '1 hour' as hour) h`;
  // Pointers without a ledger: only how they are read is measured.
  await client.query('set session_replication_role = replica');
  await client.query(
    `insert into hours (hour, rule_set, state, cut_at) select hour, 'r', 'cut', now() from ${hours}`,
    values,
  );
  await client.query(
    `insert into generations (id, hour, rule_set, inputs_hash, checksum, rows, cells, received,
                              counted, duplicate, filtered, built_by)
     overriding system value
     select n + 1, hour, 'r', n, n, 0, 0, z, z, z, z, 'bench'
       from ${hours} cross join (select array_fill(0::bigint, array[60]) as z) z`,
    values,
  );
  await client.query(
    `insert into pointers (hour, revision, generation, publication)
     select hour, 1, id, 0 from generations`,
  );
  await client.query('set session_replication_role = origin');
}

async function fill(client: pg.Client, ads: number, days: number): Promise<void> {
  await client.query('truncate generation_cells');
  await client.query(
    `insert into generation_cells
     select n, '', 'ad-' || a, array_fill(1, array[60])
       from generate_series(1, $1::integer) n cross join generate_series(1, $2::integer) a
      order by 1, 3`,
    [days * 24, ads],
  );
  await client.query('vacuum analyze generation_cells');
}

async function measure(client: pg.Client, ads: number, days: number): Promise<Row> {
  const toMs = START_MS + days * DAY_MS;
  const minutes = days * 24 * 60;
  const count = await medianMs(async () => {
    const question = { adId: 'ad-7', filter: '', fromMs: START_MS, toMs };
    check((await readAggregatedCount(client, question)).count, minutes);
  });
  const top = await medianMs(async () => {
    const question = { windowMinutes: minutes, topN: 10, atMs: toMs, filter: '' };
    check((await readTopAds(client, question)).ads[0]?.count, minutes);
  });
  return {
    ...{ 'ads an hour': thousands(ads), days, 'rows of cells': thousands(ads * days * 24) },
    ...{ 'count ms': count.toFixed(1), 'top ms': thousands(top) },
  };
}

function check(actual: number | bigint | undefined, expected: number): void {
  if (actual === expected) return;
  throw new Error(`${String(actual)} clicks instead of ${String(expected)}`);
}

async function medianMs(work: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const start = performance.now();
    await work();
    if (round > 0) times.push(performance.now() - start);
  }
  return median(times);
}
