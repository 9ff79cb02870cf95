import { STREAM, contents, coverage, loss } from './books.js';
import { perMinute, type SqlCheck } from './sql-check.js';

const FLUSH_RANGES = coverage(
  STREAM,
  'flush_ranges',
  'the flushes of a partition follow each other from 0 to its position',
);

const FATES: SqlCheck = {
  invariant: 'I3',
  name: 'fates',
  holds: 'the fates of a flush add up to its offsets',
  unit: 'flushes',
  sql: `
    looked as (select *, counted + duplicate + filtered + late + quarantined + lost + control
                           as fates,
                      least(counted, duplicate, filtered, late, quarantined, lost, control) as low
                 from flushes),
    bad as (select topic, partition, from_offset, to_offset, fates, to_offset - from_offset as offsets,
                   low as least_fate
              from looked left join place using (slot)
             where fates <> to_offset - from_offset or low < 0)`,
};

const FATES_WITH_TIME = ['counted', 'duplicate', 'filtered', 'late'];

const FLOW_SUMS: SqlCheck = {
  invariant: 'I3',
  name: 'flow_sums',
  holds: 'per partition, the fates by minute add up to the fates by offset',
  unit: 'sums',
  sql: `
    by_minute as (${FATES_WITH_TIME.map(
      (fate) => `select slot, '${fate}' as fate, sum(n) as n
                   from minute_flow, unnest(${fate}) as n group by slot`,
    ).join(' union all ')}),
    by_offset as (${FATES_WITH_TIME.map(
      (fate) => `select slot, '${fate}' as fate, sum(${fate}) as n from flushes group by slot`,
    ).join(' union all ')}),
    looked as (select slot, fate, coalesce(m.n, 0) as by_minute, coalesce(o.n, 0) as by_offset
                 from by_minute m full join by_offset o using (slot, fate)),
    bad as (select topic, partition, fate, by_minute, by_offset
              from looked left join place using (slot) where by_minute <> by_offset)`,
};

const ZEROS = `array_fill(0::bigint, array[60])`;

const FLOW_CELLS: SqlCheck = {
  invariant: 'I3',
  name: 'flow_cells',
  holds: 'the counted clicks of a minute are its unfiltered live cells',
  unit: 'hours of partitions',
  sql: `
    cells as (select hour, slot, ${perMinute((i) => `sum(counts[${i}])::bigint`)} as counts
                from live_cells, asked where filter = '' and hour >= lo and hour < hi
               group by hour, slot),
    flow as (select hour, slot, counted::bigint[] as counts
               from minute_flow, asked where hour >= lo and hour < hi),
    looked as (select hour, slot, coalesce(c.counts, ${ZEROS}) as live,
                      coalesce(f.counts, ${ZEROS}) as flow
                 from cells c full join flow f using (hour, slot)),
    bad as (select hour, m.i - 1 as minute, topic, partition, m.live, m.flow as counted
              from looked left join place using (slot),
                   unnest(live, flow) with ordinality as m (live, flow, i)
             where looked.live <> looked.flow and m.live is distinct from m.flow)`,
};

const FLOW_REASONS: SqlCheck = {
  invariant: 'I3',
  name: 'flow_reasons',
  holds: 'the filtered clicks of a minute are those of all reasons for which it filtered',
  unit: 'hours of partitions',
  sql: `
    reasons as (select hour, slot, ${perMinute((i) => `sum(counts[${i}])::bigint`)} as counts,
                       bool_or(cardinality(counts) <> 60 or array_position(counts, null) is not null
                               or 0 > any (counts)) as odd
                  from filtered_flow, asked where hour >= lo and hour < hi
                 group by hour, slot),
    flow as (select hour, slot, filtered::bigint[] as counts
               from minute_flow, asked where hour >= lo and hour < hi),
    looked as (select hour, slot, coalesce(f.counts, ${ZEROS}) as flow,
                      coalesce(r.counts, ${ZEROS}) as by_reason, coalesce(odd, false) as odd
                 from flow f full join reasons r using (hour, slot)),
    bad as (select hour, m.i - 1 as minute, topic, partition, m.flow as filtered, m.by_reason
              from looked left join place using (slot),
                   unnest(flow, by_reason) with ordinality as m (flow, by_reason, i)
             where m.flow is distinct from m.by_reason or odd and m.i = 1)`,
};

const FLOW_LATE: SqlCheck = {
  invariant: 'I3',
  name: 'flow_late',
  holds: 'the late clicks of a minute are its recorded positions',
  unit: 'minutes with late clicks',
  sql: `
    recorded as (select hour, slot, minute, count(*) as n
                   from late_clicks, asked where hour >= lo and hour < hi
                  group by hour, slot, minute),
    flow as (select hour, slot, m.i - 1 as minute, m.n
               from minute_flow, asked, unnest(late) with ordinality as m (n, i)
              where hour >= lo and hour < hi and m.n <> 0),
    looked as (select hour, slot, minute, coalesce(r.n, 0) as recorded, coalesce(f.n, 0) as flow
                 from recorded r full join flow f using (hour, slot, minute)),
    bad as (select hour, minute, topic, partition, recorded, flow as late
              from looked left join place using (slot) where recorded <> flow)`,
};

/** I3 as Postgres alone can see it: by offset range and by event minute. */
export const CONSERVATION_CHECKS: readonly SqlCheck[] = [
  loss('loss', 'every offset below the positions was read', STREAM),
  FLUSH_RANGES,
  FATES,
  contents(STREAM, {
    name: 'lost_offsets',
    fate: 'lost',
    rows: 'select slot, from_offset as at, to_offset - from_offset as n from loss_intervals',
    holds: 'the lost offsets of a flush are its loss intervals',
  }),
  contents(STREAM, {
    name: 'quarantine_rows',
    fate: 'quarantined',
    rows: 'select slot, log_offset as at, 1::bigint as n from quarantine',
    holds: 'the quarantined records of a flush are kept, at positions within it',
  }),
  contents(STREAM, {
    name: 'late_rows',
    fate: 'late',
    rows: 'select slot, log_offset as at, 1::bigint as n from late_clicks',
    holds: 'the late clicks of a flush are recorded, at positions within it',
  }),
  FLOW_SUMS,
  FLOW_CELLS,
  FLOW_REASONS,
  FLOW_LATE,
];
