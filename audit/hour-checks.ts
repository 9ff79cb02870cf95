import { perMinute, type SqlCheck } from './sql-check.js';

/** I4: for each ad and minute, the values of each dimension of the hour's rule set add up. */
const DIMENSIONS: SqlCheck = {
  invariant: 'I4',
  name: 'dimension_sums',
  holds: 'for each ad and minute, the values of each dimension add up to the total',
  unit: 'hours of ads',
  sql: `
    sums as (select hour, slot, ad_id, split_part(filter, ':', 1) as dimension,
                    ${perMinute((i) => `sum(counts[${i}])`)} as counts
               from live_cells, asked where hour >= lo and hour < hi
              group by hour, slot, ad_id, split_part(filter, ':', 1)),
    pinned as (select h.hour, d.value ->> 'name' as dimension
                 from hours h join rule_sets r on r.hash = h.rule_set, asked,
                      jsonb_array_elements(r.body -> 'dimensions') as d
                where h.hour >= lo and h.hour < hi),
    looked as (select * from sums where dimension = ''),
    wanted as (select hour, slot, ad_id, p.dimension, t.counts
                 from looked t join pinned p using (hour)),
    differing as (
      select hour, slot, ad_id, dimension, w.counts as total, s.counts as found
        from wanted w full join (select * from sums where dimension <> '') s
             using (hour, slot, ad_id, dimension)
       where w.counts is distinct from s.counts),
    bad as (select hour, ad_id, dimension, topic, partition,
                   case when found is null then 'has no cells'
                        when total is null then 'has cells, but is no dimension of a counted total'
                        else 'minutes ' || array_to_string(array(
                          select m.i - 1 from unnest(total, found) with ordinality as m (t, f, i)
                           where m.t is distinct from m.f order by 1), ', ') || ' differ' end as problem
              from differing left join place using (slot))`,
};

const CELL_SHAPE: SqlCheck = {
  invariant: 'I4',
  name: 'cell_shape',
  holds: 'each live cell has 60 minutes, none of them negative',
  unit: 'live cells',
  sql: `
    looked as (select hour, filter, ad_id, slot, counts from live_cells, asked
                where hour >= lo and hour < hi),
    bad as (select hour, filter, ad_id, topic, partition, counts
              from looked left join place using (slot)
             where cardinality(counts) <> 60 or array_lower(counts, 1) <> 1
                or array_position(counts, null) is not null or 0 > any (counts))`,
};

/** The live part of I6 that is in positions alone: each click is on one side of the cut. */
const CUT_POSITIONS: SqlCheck = {
  invariant: 'I6',
  name: 'cut_positions',
  holds: 'a cut lies at or below the position, and late clicks of its hour at or above it',
  unit: 'late clicks and cut entries',
  sql: `
    late as (select l.hour, l.slot, l.log_offset, h.state, coalesce(c.next_offset, 0) as cut,
                    p.topic, p.partition, p.next_offset
               from asked, late_clicks l left join hours h using (hour)
                    left join hour_cuts c using (hour, slot)
                    left join stream_progress p using (slot)
              where l.hour >= lo and l.hour < hi),
    entries as (select c.hour, c.next_offset as cut, h.state, p.topic, p.partition, p.next_offset
                  from asked, hour_cuts c left join hours h using (hour)
                       left join stream_progress p using (slot)
                 where c.hour >= lo and c.hour < hi),
    looked as (select hour from late union all select hour from entries),
    bad as (
      select hour, topic, partition, log_offset as "offset", cut, next_offset as position,
             case when state is distinct from 'cut' then 'late, but the hour is not cut'
                  when log_offset < cut then 'late below the cut: counted live as well'
                  else 'late at or above the position' end as problem
        from late
       where state is distinct from 'cut' or log_offset < cut
          or log_offset >= next_offset or next_offset is null
      union all
      select hour, topic, partition, null, cut, next_offset,
             case when state is distinct from 'cut' then 'a cut entry of an hour that is not cut'
                  else 'the cut lies above the position' end
        from entries
       where state is distinct from 'cut' or cut > next_offset or next_offset is null or cut < 0)`,
};

/** Without its hour's row nobody knows by which rules something was counted. */
const HOUR_ROWS: SqlCheck = {
  invariant: 'I10',
  name: 'hour_rows',
  holds: 'each hour with cells, late clicks or flow has a row that pins its rule set',
  unit: 'hours',
  sql: `
    used as (select hour, 'live_cells' as found_in from live_cells, asked
              where hour >= lo and hour < hi
             union select hour, 'late_clicks' from late_clicks, asked where hour >= lo and hour < hi
             union select hour, 'minute_flow' from minute_flow, asked
              where hour >= lo and hour < hi
             union select hour, 'filtered_flow' from filtered_flow, asked
              where hour >= lo and hour < hi),
    looked as (select distinct hour from used),
    bad as (select hour, found_in, 'no row in hours' as problem
              from used where not exists (select from hours h where h.hour = used.hour))`,
};

const LEDGER_HEAD: SqlCheck = {
  invariant: 'I11',
  name: 'ledger_head',
  holds: 'there is one publication number, and it is not negative',
  unit: 'ledger heads',
  sql: `
    looked as (select publication from ledger_head),
    bad as (select 'ledger_head' as found_in, n as heads, low as publication
              from (select count(*) as n, min(publication) as low from looked) as t
             where n <> 1 or low < 0)`,
};

export const HOUR_CHECKS: readonly SqlCheck[] = [
  DIMENSIONS,
  CELL_SHAPE,
  CUT_POSITIONS,
  HOUR_ROWS,
  LEDGER_HEAD,
];
