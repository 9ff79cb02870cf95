import type pg from 'pg';
import type { TimeRange } from '../../core/range.js';

export interface DueOptions {
  /** How long late clicks of a final hour wait before it is looked at again. */
  readonly lateAfterMs: number;
  /** Hours at most in each of the lists of work. */
  readonly hoursMax: number;
  /** Only hours in it; default: all. */
  readonly range?: TimeRange;
}

/**
 * Hours that automation has something to do for; an hour is in one list at most. In each list, hours
 * whose last settlement did not fail come first, the oldest first; then those that failed, the least
 * recently failed first. So hours that fail for ever keep no other out, and each has its turn.
 */
export interface DueWork {
  /** Not cut, and due to be. */
  readonly toCut: readonly number[];
  /** Cut, and counted live still. */
  readonly toRecompute: readonly number[];
  /** Final, with late clicks that nobody has examined for long enough. */
  readonly toExamine: readonly number[];
  /** All that would be in the second or third, but a comparison of theirs waits for a person. */
  readonly waiting: readonly number[];
}

// The hours with late clicks come from a loose scan of the primary key: one probe an hour, where a
// DISTINCT would read every late click there ever was.
const SQL = `
  with recursive bounds as (
    select coalesce($1::timestamptz, '-infinity') as low, coalesce($2::timestamptz, 'infinity') as high
  ), late_hours (hour) as (
    select (select min(hour) from late_clicks where hour >= low) from bounds
    union all
    select (select min(hour) from late_clicks l where l.hour > h.hour)
      from late_hours h where h.hour is not null
  ), to_cut as (
    select 'toCut' as list, h.hour from hours h, bounds
     where h.state = 'open' and h.hour <= hours_due_until() and h.hour >= low and h.hour < high
  ), live as (
    select h.hour from hours h, bounds
     where h.state = 'cut' and h.hour >= low and h.hour < high
       and not exists (select from pointers p where p.hour = h.hour)
       and not exists (select from hour_holds x where x.hour = h.hour and x.released is null)
  ), late as (
    select h.hour
      from late_hours h
     cross join bounds
     cross join ledger_head head
     cross join lateral (
       select generation from pointers
        where hour = h.hour and publication <= head.publication order by revision desc limit 1
     ) p
     where h.hour < high
       and not exists (select from hour_holds x where x.hour = h.hour and x.released is null)
       and exists (
         select from stream_progress s
          cross join lateral (
            select log_offset from late_clicks
             where hour = h.hour and slot = s.slot
               and log_offset >= examined_offset(p.generation, head.publication, s.slot)
             order by log_offset limit 1
          ) l
          where coalesce(flushed_at(s.slot, l.log_offset), '-infinity')
                <= now() - $3 * interval '1 millisecond')
  ), work as (
    select list, hour from to_cut
    union all select 'toRecompute', hour from live
    union all select 'toExamine', hour from late
  ), sorted as (
    select case when list <> 'toCut' and holding_reconciliation(hour) is not null
                then 'waiting' else list end as list, hour,
           (select f.failed_at from hour_failures f where f.hour = w.hour) as failed_at
      from work w
  )
  select list, hour
    from (
      select list, hour,
             row_number() over (partition by list order by failed_at nulls first, hour) as n
        from sorted
    ) s
   where n <= $4 or list = 'waiting'
   order by n`;

/** Why hours wait for a person: the reasons of the comparisons that hold them. */
export async function waitingReasons(
  client: pg.ClientBase | pg.Pool,
  hours: readonly number[],
): Promise<{ readonly hourMs: number; readonly reason: string }[]> {
  const { rows } = await client.query<{ hour: Date; reason: string }>(
    `select r.hour, r.reason
       from unnest($1::timestamptz[]) w (hour)
       join reconciliations r on r.id = holding_reconciliation(w.hour)
      order by r.hour`,
    [hours.map((ms) => new Date(ms))],
  );
  return rows.map(({ hour, reason }) => ({ hourMs: hour.getTime(), reason }));
}

/** What is due now. One statement, so one moment. */
export async function dueWork(
  client: pg.ClientBase | pg.Pool,
  { lateAfterMs, hoursMax, range }: DueOptions,
): Promise<DueWork> {
  const { rows } = await client.query<{ list: keyof DueWork; hour: Date }>(SQL, [
    range === undefined ? null : new Date(range.fromMs),
    range === undefined ? null : new Date(range.toMs),
    lateAfterMs,
    hoursMax,
  ]);
  const of = (list: keyof DueWork): number[] =>
    rows.filter((row) => row.list === list).map((row) => row.hour.getTime());
  return {
    toCut: of('toCut'),
    toRecompute: of('toRecompute'),
    toExamine: of('toExamine'),
    waiting: of('waiting'),
  };
}
