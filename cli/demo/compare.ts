import type pg from 'pg';
import { MINUTE_MS } from '../../core/time.js';
import { cellKey, parseCellKey } from './load.js';
import type { Cells } from './load.js';

const ROWS_PER_FETCH = 50_000;

export interface Comparison {
  readonly served: number;
  readonly equal: number;
  readonly different: number;
  readonly missing: number;
  readonly extra: number;
}

/** Every cell that the SQL views serve, against the truth, both ways. */
export async function compareCells(pool: pg.Pool, truth: Cells): Promise<Comparison> {
  const result = { served: 0, equal: 0, different: 0, missing: 0, extra: 0 };
  await eachServedCell(pool, (cell, count) => {
    const expected = truth.get(cell);
    result.served++;
    if (expected === undefined) result.extra++;
    else if (expected === count) result.equal++;
    else result.different++;
  });
  result.missing = truth.size - result.equal - result.different;
  return result;
}

/** Reads both views through a cursor, so that any number of cells fits. */
async function eachServedCell(
  pool: pg.Pool,
  see: (cell: string, count: number) => void,
): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('begin isolation level repeatable read read only');
    await client.query(
      `declare cells no scroll cursor for
         select ad_id, extract(epoch from click_minute) * 1000, '', count from ad_click_counts
         union all
         select ad_id, extract(epoch from click_minute) * 1000, filter_id, count
           from ad_click_counts_filtered`,
    );
    for (;;) {
      const { rows } = await client.query<[ad: string, ms: string, filter: string, n: string]>({
        text: `fetch ${String(ROWS_PER_FETCH)} from cells`,
        rowMode: 'array',
      });
      for (const [ad, ms, filter, n] of rows) see(cellKey(ad, Number(ms), filter), Number(n));
      if (rows.length === 0) break;
    }
    await client.query('commit');
  } finally {
    client.release();
  }
}

interface ApiAnswer {
  readonly count: number;
}

/** One count through HTTP; `asOf`: as it was at that publication. */
async function askApi(url: string, cell: string, asOf: number | null): Promise<ApiAnswer> {
  const { ad, minuteMs, filter } = parseCellKey(cell);
  const query = new URLSearchParams({
    from: new Date(minuteMs).toISOString(),
    to: new Date(minuteMs + MINUTE_MS).toISOString(),
    ...(filter === '' ? {} : { filter_id: filter }),
    ...(asOf === null ? {} : { as_of: String(asOf) }),
  });
  const path = `/ads/${encodeURIComponent(ad)}/aggregated_count?${query.toString()}`;
  const response = await fetch(url + path);
  if (!response.ok) throw new Error(`GET ${path}: ${String(response.status)}`);
  return (await response.json()) as ApiAnswer;
}

/** Questions over HTTP in one go. */
const QUESTIONS = 150;

/** Asks the API for some of the cells, evenly spread: how many were asked, how many were right. */
export async function askSome(
  url: string,
  truth: Cells,
  asOf: number | null,
): Promise<{ asked: number; right: number }> {
  const cells = [...truth];
  const step = Math.max(1, Math.floor(cells.length / QUESTIONS));
  let asked = 0;
  let right = 0;
  for (let i = 0; i < cells.length; i += step) {
    const [cell, expected] = cells[i]!;
    const { count } = await askApi(url, cell, asOf);
    asked++;
    if (count === expected) right++;
  }
  return { asked, right };
}

/** Whether every served cell is the truth, and nothing else is served. */
export function isTruth(comparison: Comparison, truth: Cells): boolean {
  return comparison.equal === truth.size && comparison.served === truth.size;
}
