import { readRows, type Reader } from './connection.js';
import { exactNumber } from './values.js';

/** A generation that may come to serve an hour. */
export interface CandidateHour {
  readonly hourMs: number;
  readonly generation: number;
  /** The generation it is compared with; left out: what answers now. */
  readonly base?: number;
}

/** Clicks of some cells together, as they are answered now and as they would be. */
export interface WouldChange {
  /** Cells (one ad, minute and filter) that differ. */
  readonly cells: number;
  /** Clicks in these cells. */
  readonly before: number;
  readonly after: number;
}

export interface FilterChange extends WouldChange {
  /** '' is the unfiltered total. */
  readonly filter: string;
}

export interface AdChange extends FilterChange {
  readonly adId: string;
}

/** What would change if the candidates were published. */
export interface WhatIf extends WouldChange {
  /** By filter, those with the most clicks moved first: the first of `filtersTotal`. */
  readonly filters: readonly FilterChange[];
  readonly filtersTotal: number;
  /** By ad and filter, likewise. */
  readonly ads: readonly AdChange[];
  readonly adsTotal: number;
}

// Compared with the base that is named, else with what serves each hour now, else with what was counted
// live; rows that are equal are left out before any is taken apart into cells.
const SQL = `
  with pair as materialized (
    select w.hour, w.generation,
           coalesce(w.base, (select p.generation from pointers p where p.hour = w.hour
                              order by p.revision desc limit 1)) as base
      from unnest($1::timestamptz[], $2::bigint[], $4::bigint[]) as w (hour, generation, base)
  ), next as (
    select pair.hour, g.filter, g.ad_id, g.counts
      from pair join generation_cells g using (generation)
  ), base as (
    select pair.hour, g.filter, g.ad_id, g.counts
      from pair join generation_cells g on g.generation = pair.base
     union all
    select l.hour, l.filter, l.ad_id,
           array(select sum(v)::int from unnest(array_agg(l.counts)) with ordinality u (v, i)
                  group by (i - 1) % 60 order by (i - 1) % 60)
      from pair join live_cells l on l.hour = pair.hour and pair.base is null
     group by l.hour, l.filter, l.ad_id
  ), moved as materialized (
    select filter, ad_id, count(*) as cells, sum(coalesce(u.base, 0)) as before,
           sum(coalesce(u.now, 0)) as after,
           sum(abs(coalesce(u.now, 0) - coalesce(u.base, 0))) as distance
      from base full join next using (hour, filter, ad_id)
     cross join lateral unnest(base.counts, next.counts) u (base, now)
     where base.counts is distinct from next.counts
       and coalesce(u.base, 0) <> coalesce(u.now, 0)
     group by filter, ad_id
  ), filters as (
    select filter, sum(cells) as cells, sum(before) as before, sum(after) as after,
           sum(distance) as distance
      from moved group by filter order by sum(distance) desc, filter limit $3
  ), ads as (
    select ad_id, filter, cells, before, after, distance
      from moved order by distance desc, ad_id, filter limit $3
  )
  select 'all' as kind, null as ad_id, null as filter, sum(cells) as cells, sum(before) as before,
         sum(after) as after, 0 as distance, count(distinct filter) as filters, count(*) as ads
    from moved
   union all
  select 'filter', null, filter, cells, before, after, distance, null, null from filters
   union all
  select 'ad', ad_id, filter, cells, before, after, distance, null, null from ads
   order by kind, distance desc, ad_id, filter`;

interface Row {
  kind: 'all' | 'filter' | 'ad';
  ad_id: string | null;
  filter: string | null;
  cells: string | null;
  before: string | null;
  after: string | null;
  filters: string | null;
  ads: string | null;
}

/**
 * Compares generations with what answers now or with others of the same hour, cell by cell; the `top`
 * filters, and ads with filter, whose clicks would move most.
 */
export async function whatWouldChange(
  reader: Reader,
  hours: readonly CandidateHour[],
  top: number,
): Promise<WhatIf> {
  const rows = await readRows<Row>(reader, 'what_if', SQL, [
    hours.map(({ hourMs }) => new Date(hourMs)),
    hours.map(({ generation }) => generation),
    top,
    hours.map(({ base }) => base ?? null),
  ]);
  const sums = (row: Row): WouldChange => ({
    cells: exactNumber(row.cells ?? '0'),
    before: exactNumber(row.before ?? '0'),
    after: exactNumber(row.after ?? '0'),
  });
  const of = (kind: Row['kind']): Row[] => rows.filter((row) => row.kind === kind);
  const all = of('all')[0]!;
  return {
    ...sums(all),
    filters: of('filter').map((row) => ({ filter: row.filter!, ...sums(row) })),
    filtersTotal: exactNumber(all.filters!),
    adsTotal: exactNumber(all.ads!),
    ads: of('ad').map((row) => ({ adId: row.ad_id!, filter: row.filter!, ...sums(row) })),
  };
}
