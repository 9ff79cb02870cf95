import type pg from 'pg';
import { MINUTE_MS, MINUTES_PER_HOUR } from '../../core/time.js';
import { readError } from './connection.js';

/** An hour whose cells are compared one by one. */
export interface ComparedHour {
  readonly hourMs: number;
  /** The generation that may come to serve it. */
  readonly generation: number;
  /** The same with the late clicks that wait; null: none do. */
  readonly withLate: number | null;
}

/** One cell that would change: by the rules, by late clicks, or by both. */
export interface WouldChangeCell {
  readonly adId: string;
  readonly minuteMs: number;
  /** '' is the unfiltered total. */
  readonly filter: string;
  /** As it is answered now. */
  readonly before: number;
  /** By the rules alone. */
  readonly byRules: number;
  /** By the rules, late clicks taken in. */
  readonly after: number;
}

/** Rows fetched at a time: an ad and filter each, of up to 60 cells. */
const FETCH_ROWS = 1_000;

// What answers now: the generation that serves the hour, else what was counted live. Rows that are equal
// are left out before any is taken apart into cells.
const SQL = `
  declare would_change no scroll cursor for
  with served as (
    select generation from pointers where hour = $1 order by revision desc limit 1
  ), now as (
    select g.filter, g.ad_id, g.counts
      from generation_cells g where g.generation = (select generation from served)
     union all
    select l.filter, l.ad_id,
           array(select sum(v)::int from unnest(array_agg(l.counts)) with ordinality u (v, i)
                  group by (i - 1) % 60 order by (i - 1) % 60)
      from live_cells l where l.hour = $1 and not exists (select from served)
     group by l.filter, l.ad_id
  )
  select filter, ad_id, now.counts as now, r.counts as rules, l.counts as late
    from now
    full join (select filter, ad_id, counts from generation_cells where generation = $2) r
         using (filter, ad_id)
    full join (select filter, ad_id, counts from generation_cells where generation = $3) l
         using (filter, ad_id)
   where now.counts is distinct from r.counts
      or ($3::bigint is not null and r.counts is distinct from l.counts)
   order by filter, ad_id`;

interface Row {
  filter: string;
  ad_id: string;
  now: number[] | null;
  rules: number[] | null;
  late: number[] | null;
}

/**
 * Every cell that would change if the candidates were published, in the order of hour, filter, ad_id
 * (bytewise) and minute. In constant memory, inside the caller's transaction, which has to be one
 * snapshot: what serves an hour is looked up when its turn comes. A cell in which late clicks make good
 * what the rules take is among them; its `after` is its `before`. Throws as `readRows`.
 */
export async function* changingCells(
  client: pg.ClientBase,
  hours: readonly ComparedHour[],
): AsyncGenerator<WouldChangeCell> {
  try {
    for (const hour of hours) yield* changingInHour(client, hour);
  } catch (error) {
    throw readError(error);
  }
}

async function* changingInHour(
  client: pg.ClientBase,
  hour: ComparedHour,
): AsyncGenerator<WouldChangeCell> {
  await client.query(SQL, [new Date(hour.hourMs), hour.generation, hour.withLate]);
  for (;;) {
    const { rows } = await client.query<Row>(`fetch ${String(FETCH_ROWS)} from would_change`);
    for (const row of rows) yield* cellsOf(hour, row);
    if (rows.length < FETCH_ROWS) break;
  }
  await client.query('close would_change');
}

function* cellsOf({ hourMs, withLate }: ComparedHour, row: Row): Generator<WouldChangeCell> {
  const last = withLate === null ? row.rules : row.late;
  for (let minute = 0; minute < MINUTES_PER_HOUR; minute++) {
    const before = row.now?.[minute] ?? 0;
    const byRules = row.rules?.[minute] ?? 0;
    const after = last?.[minute] ?? 0;
    if (before === byRules && byRules === after) continue;
    const minuteMs = hourMs + minute * MINUTE_MS;
    yield { adId: row.ad_id, minuteMs, filter: row.filter, before, byRules, after };
  }
}
