import { ARCHIVE, STREAM, contents, coverage, loss, lossConcerns, type Books } from './books.js';
import { perMinute, type SqlCheck } from './sql-check.js';

/** The stream's quarantine and the archive decide apart from each other which records are no clicks. */
const REJECTED: SqlCheck = {
  invariant: 'I3',
  name: 'archive_rejected',
  holds: 'what the archive rejected is what the stream quarantined at the same offsets',
  unit: 'flushes',
  sql: `
    looked as (select a.slot, a.from_offset, a.to_offset, a.rejected
                 from archive_flushes a join stream_progress p using (slot)
                where a.to_offset <= p.next_offset
                  and not exists (select from loss_intervals l where l.slot = a.slot
                                     and l.from_offset < a.to_offset
                                     and l.to_offset > a.from_offset)),
    found as (select slot, from_offset,
                     (select count(*) from quarantine q
                       where q.slot = l.slot
                         and q.log_offset >= l.from_offset and q.log_offset < l.to_offset
                         and not exists (select from archive_losses x where x.slot = q.slot
                                            and q.log_offset >= x.from_offset
                                            and q.log_offset < x.to_offset)) as quarantined
                from looked l),
    bad as (select topic, partition, from_offset, to_offset, rejected, quarantined
              from looked join found using (slot, from_offset) left join place using (slot)
             where rejected <> quarantined)`,
};

/** Offsets that one reader lost and the other did not: `slot`, `noted_at` of the loss, and `n`. */
function lostByOne(one: Books, other: Books): string {
  return `
    select slot, noted_at, to_offset - from_offset - coalesce((
             select sum(least(l.to_offset, x.to_offset) - greatest(l.from_offset, x.from_offset))
               from ${other.losses} x
              where x.slot = l.slot and x.from_offset < l.to_offset and x.to_offset > l.from_offset
           ), 0) as n
      from ${one.losses} l`;
}

/** How many of them may have held clicks of an hour `f` of a partition. */
function concerned(table: string): string {
  return `(select coalesce(sum(n), 0) from ${table} l
            where l.slot = f.slot and ${lossConcerns('l.noted_at', 'f.hour')})`;
}

/**
 * Clicks received per minute, counted by two readers. Where one is ahead of the other it may only
 * have seen more; where one lost offsets that the other read, it may have seen as many less.
 */
const FLOW: SqlCheck = {
  invariant: 'I3',
  name: 'archive_flow',
  holds: 'stream and archive received the same clicks of each minute, up to where both have read',
  unit: 'hours of partitions',
  spared: {
    unit: 'hours of partitions with a loss',
    why: 'where the two may differ by what only one of them read',
  },
  sql: `
    pace as (select slot, sign(a.next_offset - p.next_offset) as ahead
               from archive_progress a join stream_progress p using (slot)),
    stream_lost as (${lostByOne(STREAM, ARCHIVE)}),
    archive_lost as (${lostByOne(ARCHIVE, STREAM)}),
    stream as (select hour, slot,
                      ${perMinute((i) => `counted[${i}] + duplicate[${i}] + filtered[${i}] + late[${i}]`)}
                        as received
                 from minute_flow, asked where hour >= lo and hour < hi),
    archive as (select hour, slot, received
                  from archive_flow, asked where hour >= lo and hour < hi),
    flows as (select hour, slot, ahead, a.received as archived, s.received as streamed
                from archive a full join stream s using (hour, slot) join pace using (slot)),
    looked as (select f.*, ${concerned('stream_lost')} as stream_lost,
                      ${concerned('archive_lost')} as archive_lost
                 from flows f),
    spared as (select from looked where stream_lost > 0 or archive_lost > 0),
    minutes as (select f.hour, f.slot, ahead, stream_lost, archive_lost, m.i - 1 as minute, m.a, m.s,
                       sum(greatest(m.a - m.s, 0)) over of_hour as only_archived,
                       sum(greatest(m.s - m.a, 0)) over of_hour as only_streamed
                  from looked f, generate_series(1, 60) as i,
                       lateral (select i, coalesce(archived[i], 0) as a,
                                       coalesce(streamed[i], 0) as s) m
                 where archived is distinct from streamed
                window of_hour as (partition by f.hour, f.slot)),
    bad as (select hour, minute, topic, partition, a as archive, s as stream
              from minutes left join place using (slot)
             where (a > s and ahead <= 0 and only_archived > stream_lost)
                or (s > a and ahead >= 0 and only_streamed > archive_lost))`,
};

const FLOW_SUMS: SqlCheck = {
  invariant: 'I3',
  name: 'archive_sums',
  holds: 'per partition, the archived clicks by minute add up to those by offset',
  unit: 'partitions',
  sql: `
    by_minute as (select slot, sum(n) as n from archive_flow, unnest(received) as n group by slot),
    by_offset as (select slot, sum(archived) as n from archive_flushes group by slot),
    looked as (select slot, coalesce(m.n, 0) as by_minute, coalesce(o.n, 0) as by_offset
                 from by_minute m full join by_offset o using (slot)),
    bad as (select topic, partition, by_minute, by_offset
              from looked left join place using (slot) where by_minute <> by_offset)`,
};

const FILE_ROWS: SqlCheck = {
  invariant: 'I3',
  name: 'file_rows',
  holds: 'the rows of a file are those of its offset ranges and of its hours',
  unit: 'files',
  sql: `
    ranges as (select file, sum(rows) as n from lake_file_ranges group by file),
    held as (select file, sum(rows) as n, min(hour) as first, max(hour) as last
               from lake_file_hours group by file),
    looked as (select f.id, f.key, f.rows, r.n as in_ranges, h.n as in_hours, h.first, h.last,
                      date_trunc('hour', to_timestamp(f.min_event_ms / 1000.0), 'UTC') as low,
                      date_trunc('hour', to_timestamp(f.max_event_ms / 1000.0), 'UTC') as high
                 from lake_files f left join ranges r on r.file = f.id
                      left join held h on h.file = f.id),
    bad as (select key, rows, in_ranges, in_hours, first, last, low as first_click, high as last_click
              from looked
             where rows is distinct from in_ranges or rows is distinct from in_hours
                or first is distinct from low or last is distinct from high)`,
};

const HOUR_FILES: SqlCheck = {
  invariant: 'I3',
  name: 'archive_hours',
  holds: 'the clicks archived of an hour are the rows of its files',
  unit: 'hours',
  sql: `
    flow as (select hour, sum(n) as n from asked, archive_flow, unnest(received) as n
              where hour >= lo and hour < hi group by hour),
    files as (select hour, sum(rows) as n from lake_file_hours, asked
               where hour >= lo and hour < hi group by hour),
    looked as (select hour, coalesce(w.n, 0) as received, coalesce(f.n, 0) as in_files
                 from flow w full join files f using (hour)),
    bad as (select hour, received, in_files from looked where received <> in_files)`,
};

/** I3 of the archive: what it read is in listed files, and it read what the stream read. */
export const ARCHIVE_CHECKS: readonly SqlCheck[] = [
  loss('archive_loss', 'the archive read every offset below its positions', ARCHIVE),
  coverage(
    ARCHIVE,
    'archive_ranges',
    'the archived ranges of a partition follow each other from 0 to the archive’s position',
  ),
  contents(ARCHIVE, {
    name: 'archive_lost_offsets',
    fate: 'lost',
    rows: 'select slot, from_offset as at, to_offset - from_offset as n from archive_losses',
    holds: 'the lost offsets of an archive flush are its loss intervals',
  }),
  contents(ARCHIVE, {
    name: 'archive_files',
    fate: 'archived',
    rows: 'select slot, from_offset as at, rows as n from lake_file_ranges',
    holds: 'the archived clicks of a flush are rows of listed files',
  }),
  REJECTED,
  FLOW,
  FLOW_SUMS,
  FILE_ROWS,
  HOUR_FILES,
];
