import type pg from 'pg';
import type { Workload } from '../support/workload.js';

const ROWS_PER_STATEMENT = 100_000;

/** Cells as each contestant left them: `(ad_id, minute, filter, count)`. */
export const CELLS_OF_TRUECOUNT = `
  select ad_id, click_minute as minute, '' as filter, count from ad_click_counts
  union all
  select ad_id, click_minute, filter_id, count from ad_click_counts_filtered`;

export const CELLS_OF_NAIVE = `
  select ad_id, to_timestamp(minute * 60) as minute, '' as filter, count from naive_ad
  union all
  select ad_id, to_timestamp(minute * 60), 'country:' || value, count from naive_country
  union all
  select ad_id, to_timestamp(minute * 60), 'device:' || value, count from naive_device
  union all
  select ad_id, to_timestamp(minute * 60), 'format:' || value, count from naive_format`;

/** Puts the true cells into a schema of their own, which survives `World.fresh`. */
export async function storeTruth(pool: pg.Pool, workload: Workload): Promise<number> {
  await pool.query('create schema bench');
  await pool.query(
    `create table bench.truth (ad_id text collate "C", minute timestamptz, filter text collate "C",
                               count bigint)`,
  );
  const cells = [...workload.cells()];
  for (let at = 0; at < cells.length; at += ROWS_PER_STATEMENT) {
    const part = cells.slice(at, at + ROWS_PER_STATEMENT);
    await pool.query(
      `insert into bench.truth
       select a, to_timestamp(m / 1000), f, c
         from unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[]) as t (a, m, f, c)`,
      [
        part.map((cell) => cell.adId),
        part.map((cell) => cell.minuteMs),
        part.map((cell) => cell.filter),
        part.map((cell) => cell.count),
      ],
    );
  }
  await pool.query('analyze bench.truth');
  return cells.length;
}

/** Cells that are not as they should be, in either direction: wrong, missing or too many. */
export async function differingCells(pool: pg.Pool, cellsOf: string): Promise<number> {
  const { rows } = await pool.query<{ n: string }>(
    `select count(*) as n
       from (${cellsOf}) c
       full join bench.truth t
         on t.ad_id = c.ad_id and t.minute = c.minute and t.filter = c.filter
      where c.count is distinct from t.count`,
  );
  return Number(rows[0]!.n);
}
