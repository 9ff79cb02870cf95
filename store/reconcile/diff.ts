import type pg from 'pg';
import type { MovedCell } from '../../core/cell-causes.js';
import type { Sides } from './evidence.js';

/** The cells of one ad and minute that differ. */
export interface MovedGroup {
  readonly adId: string;
  readonly minute: number;
  /** Late clicks of the ad and minute between the two cuts. */
  readonly lateTotal: number;
  /** By filter, bytewise. */
  readonly cells: readonly MovedCell[];
}

/** Cells fetched at a time. */
const FETCH_ROWS = 5_000;

// What was counted live: one row an ad and filter in nearly all cases, since all clicks of an ad are
// in one partition; the sum over the partitions else.
const LIVE = `
  select filter, ad_id,
         case when n = 1 then one
              else array(select sum(v)::int from unnest(rows) with ordinality u (v, i)
                          group by (i - 1) % 60 order by (i - 1) % 60) end as counts
    from (select filter, ad_id, count(*) as n, min(counts) as one, array_agg(counts) as rows
            from live_cells where hour = $1 group by filter, ad_id) l
   where $3::bigint is null`;

const SERVED = 'select filter, ad_id, counts from generation_cells where generation = $3';

// Only rows that differ are taken apart into cells, and only cells that differ leave Postgres.
const sql = (base: string): string => `
  declare diff no scroll cursor for
  with moved as (
    select filter, ad_id, (u.i - 1)::int as minute,
           coalesce(u.base, 0) as base, coalesce(u.now, 0) as now
      from (${base}) b
      full join (select filter, ad_id, counts from generation_cells where generation = $2) g
           using (filter, ad_id)
     cross join lateral unnest(b.counts, g.counts) with ordinality u (base, now, i)
     where b.counts is distinct from g.counts and coalesce(u.base, 0) <> coalesce(u.now, 0)
  ), late as (
    select l.ad_id, l.minute::int as minute, f.filter collate "C" as filter, count(*) as n
      from generation_cuts c
      join late_clicks l on l.hour = $1 and l.slot = c.slot and l.log_offset < c.next_offset
      left join generation_cuts b on b.generation = $3 and b.slot = c.slot
     cross join lateral unnest(array_append(l.filters, '')) f (filter)
     where c.generation = $2 and l.log_offset >= coalesce(b.next_offset, 0)
     group by l.ad_id, l.minute, f.filter
  )
  select m.ad_id, m.minute, m.filter, m.base, m.now, coalesce(l.n, 0) as late,
         coalesce(t.n, 0) as late_total
    from moved m
    left join late l using (ad_id, minute, filter)
    left join late t on t.ad_id = m.ad_id and t.minute = m.minute and t.filter = ''
   order by m.ad_id, m.minute, m.filter`;

interface Row {
  ad_id: string;
  minute: number;
  filter: string;
  base: number;
  now: number;
  late: string;
  late_total: string;
}

/**
 * The exact difference of two sets of cells, by ad, then minute. Inside the caller's transaction;
 * in constant memory. Live cells of a cut hour and generations do not change any more, so it does
 * not matter what else commits meanwhile.
 */
export async function* diffCells(
  client: pg.ClientBase,
  { hourMs, generation, base }: Sides,
): AsyncGenerator<MovedGroup> {
  const values = [new Date(hourMs), generation.id, base?.id ?? null];
  await client.query(sql(base === null ? LIVE : SERVED), values);
  let pending: Row[] = [];
  for (;;) {
    const { rows } = await client.query<Row>(`fetch ${String(FETCH_ROWS)} from diff`);
    for (const row of rows) {
      const first = pending[0];
      if (first !== undefined && (first.ad_id !== row.ad_id || first.minute !== row.minute)) {
        yield toGroup(first, pending);
        pending = [];
      }
      pending.push(row);
    }
    if (rows.length < FETCH_ROWS) break;
  }
  if (pending[0] !== undefined) yield toGroup(pending[0], pending);
  await client.query('close diff');
}

function toGroup(first: Row, rows: readonly Row[]): MovedGroup {
  return {
    adId: first.ad_id,
    minute: first.minute,
    lateTotal: Number(first.late_total),
    cells: rows.map(({ filter, base, now, late }) => ({ filter, base, now, late: Number(late) })),
  };
}
