import { ARCHIVE, STREAM, lossConcerns } from './books.js';
import { perMinute, type SqlCheck } from './sql-check.js';

const FLOW: SqlCheck = {
  invariant: 'I3',
  name: 'generation_flow',
  holds: 'per minute of a generation, received = counted + duplicate + filtered',
  unit: 'generations',
  sql: `
    looked as (select id, hour, received, counted, duplicate, filtered from judged),
    bad as (select id as generation, hour, i - 1 as minute, received[i] as received,
                   counted[i] as counted, duplicate[i] as duplicate, filtered[i] as filtered
              from looked, generate_series(1, greatest(60, cardinality(received))) as i
             where received[i] is distinct from counted[i] + duplicate[i] + filtered[i]
                or received[i] is null
                or least(received[i], counted[i], duplicate[i], filtered[i]) < 0)`,
};

const REASONS: SqlCheck = {
  invariant: 'I3',
  name: 'generation_reasons',
  holds: 'the filtered clicks of a minute are those of all reasons for which it filtered',
  unit: 'generations',
  sql: `
    reasons as (select f.generation as id, ${perMinute((i) => `sum(f.counts[${i}])::bigint`)} as counts,
                       bool_or(cardinality(f.counts) <> 60 or array_position(f.counts, null) is not null
                               or 0 > any (f.counts)) as odd
                  from judged g join generation_filtered f on f.generation = g.id
                 group by f.generation),
    looked as (select id, hour, g.filtered, coalesce(r.counts, ${zeros()}) as counts,
                      coalesce(odd, false) as odd
                 from judged g left join reasons r using (id)),
    bad as (select id as generation, hour, i - 1 as minute, filtered[i] as filtered,
                   counts[i] as by_reason
              from looked, generate_series(1, 60) as i
             where filtered[i] is distinct from counts[i] or odd and i = 1)`,
};

/** A generation holds what the archive received below its cut: all of it where the cut covers all. */
const RECEIVED: SqlCheck = {
  invariant: 'I3',
  name: 'generation_received',
  holds: 'a generation received what was archived of its hour below its cut',
  unit: 'generations',
  sql: `
    archived as (select hour, ${perMinute((i) => `sum(received[${i}])::bigint`)} as received
                   from archive_flow, asked where hour >= lo and hour < hi group by hour),
    looked as (select g.id, g.hour, g.received, coalesce(a.received, ${zeros()}) as archived,
                      not exists (select from archive_progress p
                                    left join generation_cuts c
                                      on c.generation = g.id and c.slot = p.slot
                                   where p.next_offset > coalesce(c.next_offset, 0)) as is_all
                 from judged g left join archived a using (hour)),
    bad as (select id as generation, hour, i - 1 as minute, received[i] as received,
                   archived[i] as archived
              from looked, generate_series(1, 60) as i
             where received[i] > archived[i] or (is_all and received[i] <> archived[i]))`,
};

const TOTALS: SqlCheck = {
  invariant: 'I3',
  name: 'generation_cells',
  holds: 'the counted clicks of a minute are the unfiltered cells of the generation',
  unit: 'generations',
  sql: `
    cells as (select c.generation as id, ${perMinute((i) => `coalesce(sum(c.counts[${i}]), 0)::bigint`)} as counts
                from judged g join generation_cells c on c.generation = g.id and c.filter = ''
               group by c.generation),
    looked as (select id, hour, g.counted, coalesce(c.counts, ${zeros()}) as counts
                 from judged g left join cells c using (id)),
    bad as (select id as generation, hour, i - 1 as minute, counted[i] as counted,
                   counts[i] as cells
              from looked, generate_series(1, 60) as i
             where counted[i] is distinct from counts[i])`,
};

/** I4 of generations: as `dimension_sums` of live cells. */
const DIMENSIONS: SqlCheck = {
  invariant: 'I4',
  name: 'generation_sums',
  holds: 'for each ad and minute of a generation, the values of each dimension add up to the total',
  unit: 'ads of generations',
  sql: `
    sums as (select c.generation as id, c.ad_id, split_part(c.filter, ':', 1) as dimension,
                    ${perMinute((i) => `coalesce(sum(c.counts[${i}]), 0)`)} as counts
               from judged g join generation_cells c on c.generation = g.id
              group by c.generation, c.ad_id, split_part(c.filter, ':', 1)),
    named as (select g.id, d.value ->> 'name' as dimension
                from judged g join rule_sets r on r.hash = g.rule_set,
                     jsonb_array_elements(r.body -> 'dimensions') as d),
    looked as (select * from sums where dimension = ''),
    wanted as (select id, ad_id, n.dimension, t.counts from looked t join named n using (id)),
    differing as (
      select id, ad_id, dimension, w.counts as total, s.counts as found
        from wanted w full join (select * from sums where dimension <> '') s
             using (id, ad_id, dimension)
       where w.counts is distinct from s.counts),
    bad as (select id as generation, (select hour from generations where id = d.id) as hour, ad_id,
                   dimension,
                   case when found is null then 'has no cells'
                        when total is null then 'has cells, but is no dimension of a counted total'
                        else 'minutes ' || array_to_string(array(
                          select m.i - 1 from unnest(total, found) with ordinality as m (t, f, i)
                           where m.t is distinct from m.f order by 1), ', ') || ' differ' end as problem
              from differing d)`,
};

/** Minutes without clicks before the first and after the last may be left out. */
const CELL_SHAPE: SqlCheck = {
  invariant: 'I4',
  name: 'generation_shape',
  holds: 'each row of a generation counts some of 60 minutes, none of them negative',
  unit: 'rows',
  sql: `
    looked as (select c.* from judged g join generation_cells c on c.generation = g.id),
    bad as (select generation, filter, ad_id, counts from looked
             where coalesce(array_lower(counts, 1), 0) < 1
                or coalesce(array_upper(counts, 1), 61) > 60
                or array_position(counts, null) is not null or 0 > any (counts))`,
};

/** A generation is about the clicks below one line: at or above the hour's cut, below the archive. */
const CUTS: SqlCheck = {
  invariant: 'I5',
  name: 'generation_cuts',
  holds: 'the cut of a generation covers the cut of its hour, and the archive had passed it',
  unit: 'cut entries',
  sql: `
    entries as (select g.id, g.hour, s.slot, coalesce(c.next_offset, 0) as cut,
                       coalesce(h.next_offset, 0) as hour_cut,
                       coalesce(a.next_offset, 0) as archived
                  from judged g cross join stream_progress s
                       left join generation_cuts c on c.generation = g.id and c.slot = s.slot
                       left join hour_cuts h on h.hour = g.hour and h.slot = s.slot
                       left join archive_progress a on a.slot = s.slot),
    looked as (select * from entries where cut > 0 or hour_cut > 0),
    bad as (select id as generation, hour, topic, partition, cut, hour_cut, archived
              from looked left join place using (slot) where cut < hour_cut or cut > archived)`,
};

/** Exactly the files of the hour that hold something below the cut. */
const FILES: SqlCheck = {
  invariant: 'I10',
  name: 'generation_files',
  holds: 'a generation lists the files of its hour that hold something below its cut',
  unit: 'files of generations',
  sql: `
    wanted as (select distinct g.id, f.file
                 from judged g join lake_file_hours f using (hour)
                      join lake_file_ranges r on r.file = f.file
                      join generation_cuts c on c.generation = g.id and c.slot = r.slot
                where r.from_offset < c.next_offset),
    recorded as (select g.id, f.file from judged g join generation_files f on f.generation = g.id),
    looked as (select id, file, w.file is not null as needed, l.file is not null as is_listed
                 from wanted w full join recorded l using (id, file)),
    bad as (select l.id as generation, f.key,
                   case when is_listed then 'listed, but holds nothing below the cut'
                        else 'holds clicks below the cut, but is not listed' end as problem
              from looked l join lake_files f on f.id = l.file where needed <> is_listed)`,
};

/**
 * Walks the numbers that cells have by one index lookup each: a scan would read every cell. Cells of
 * a generation that was collected go in small steps; after a day no step is still to come.
 */
const STRAY_CELLS: SqlCheck = {
  invariant: 'I9',
  name: 'stray_cells',
  holds: 'every cell of a generation has the generation’s row',
  unit: 'generations with cells',
  sql: `
    found (id) as (select min(generation) from generation_cells
                   union all
                   select (select min(generation) from generation_cells c where c.generation > f.id)
                     from found f where f.id is not null),
    looked as (select id from found where id is not null),
    bad as (select l.id as generation, g.hour,
                   case when g.id is null then 'cells without a row in generations'
                        else 'cells of a generation that was collected' end as problem
              from looked l left join generations g using (id)
             where g.id is null or g.collected_at < now() - interval '1 day')`,
};

/** The newest diff of each final hour against what was counted live, at the same cut. */
const RECONCILED: SqlCheck = {
  invariant: 'I6',
  name: 'reconciled',
  holds: 'no difference between live and final counts is without a cause',
  unit: 'final hours with a diff against live',
  sql: `
    final as (select distinct hour from pointers, asked where hour >= lo and hour < hi),
    looked as (select distinct on (r.hour) r.*
                 from final join reconciliations r using (hour)
                where r.against = 'live'
                order by r.hour, r.id desc),
    bad as (select hour, id as reconciliation, generation, causes -> 'unknown' as "unknown"
              from looked where coalesce(causes #>> '{unknown,cells}', '0') <> '0')`,
};

/** Condition: offsets below the cut of hour `h` were never read, and may have held clicks of it. */
const LOST_BELOW_CUT = [STREAM, ARCHIVE]
  .map(
    ({ losses }) =>
      `exists (select from hour_cuts c join ${losses} l using (slot)
                where c.hour = h.hour and l.from_offset < c.next_offset
                  and ${lossConcerns('l.noted_at', 'h.hour')})`,
  )
  .join(' or ');

/**
 * I6 itself: a generation at the hour's own cut, under the rule set that the hour pins, has the live
 * cells. Hours with a named cause may differ, and hours below whose cut something was lost, and both
 * say so elsewhere. Hours whose live cells were collected are left out.
 */
const STREAM_IS_BATCH: SqlCheck = {
  invariant: 'I6',
  name: 'live_against_generation',
  holds: 'a generation at the cut of its hour has the live cells',
  unit: 'rows (filter, ad) of hours',
  spared: {
    unit: 'hours left out',
    why: 'which have a cause or a loss for which they may differ',
  },
  sql: `
    comparable as (
      select g.id, g.hour,
             exists (select from hour_causes x where x.hour = h.hour) or ${LOST_BELOW_CUT} as may_differ
        from generations g join hours h using (hour), asked
       where g.hour >= lo and g.hour < hi and g.rule_set = h.rule_set and g.collected_at is null
         and h.state = 'cut'
         and exists (select from live_cells l where l.hour = g.hour)
         and not exists (
           select from (select slot, next_offset from hour_cuts where hour = g.hour
                                                              and next_offset > 0) a
             full join (select slot, next_offset from generation_cuts where generation = g.id) b
                  using (slot)
            where a.next_offset is distinct from b.next_offset)),
    spared as (select distinct hour from comparable where may_differ),
    compared as (select id, hour from comparable where not may_differ),
    live as (select c.id, c.hour, l.filter, l.ad_id,
                    ${perMinute((i) => `sum(l.counts[${i}])::integer`)} as counts
               from compared c join live_cells l using (hour)
              group by c.id, c.hour, l.filter, l.ad_id),
    batch as (select c.id, c.hour, g.filter, g.ad_id,
                     ${perMinute((i) => `coalesce(g.counts[${i}], 0)`)} as counts
                from compared c join generation_cells g on g.generation = c.id),
    looked as (select id, hour, filter, ad_id, coalesce(l.counts, ${zeros('integer')}) as live,
                      coalesce(b.counts, ${zeros('integer')}) as batch
                 from live l full join batch b using (id, hour, filter, ad_id)),
    bad as (select hour, id as generation, ad_id, filter, i - 1 as minute, live[i] as live,
                   batch[i] as batch
              from looked, generate_series(1, 60) as i
             where looked.live <> looked.batch and live[i] is distinct from batch[i])`,
};

function zeros(type = 'bigint'): string {
  return `array_fill(0::${type}, array[60])`;
}

/** What Postgres alone can say of generations and of the diffs between them and the live cells. */
export const GENERATION_CHECKS: readonly SqlCheck[] = [
  FLOW,
  REASONS,
  RECEIVED,
  TOTALS,
  DIMENSIONS,
  CELL_SHAPE,
  CUTS,
  FILES,
  STRAY_CELLS,
  RECONCILED,
  STREAM_IS_BATCH,
];
