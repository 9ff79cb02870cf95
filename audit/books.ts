import type { SqlCheck } from './sql-check.js';

/** How a reader of the log keeps its books: a row per committed range, a position per partition. */
export interface Books {
  readonly flushes: string;
  readonly positions: string;
  readonly losses: string;
}

export const STREAM: Books = {
  flushes: 'flushes',
  positions: 'stream_progress',
  losses: 'loss_intervals',
};

export const ARCHIVE: Books = {
  flushes: 'archive_flushes',
  positions: 'archive_progress',
  losses: 'archive_losses',
};

/** Whether the committed ranges of each partition follow each other from 0 to its position. */
export function coverage({ flushes, positions }: Books, name: string, holds: string): SqlCheck {
  return {
    invariant: 'I3',
    name,
    holds,
    unit: 'flushes',
    sql: `
    looked as (select slot, from_offset, to_offset,
                      lag(to_offset, 1, 0::bigint) over (partition by slot order by from_offset)
                        as expected_from
                 from ${flushes}),
    ends as (select slot, max(to_offset) as flushed_to from ${flushes} group by slot),
    bad as (
      select topic, partition, from_offset, to_offset,
             case when topic is null then 'of slot ' || slot || ', which is no partition'
                  else 'starts at ' || from_offset || ' instead of ' || expected_from end as problem
        from looked left join place using (slot)
       where from_offset <> expected_from or topic is null
      union all
      select topic, partition, coalesce(e.flushed_to, 0), coalesce(p.next_offset, 0),
             'flushes end at ' || coalesce(e.flushed_to, 0) ||
             ', the position is ' || coalesce(p.next_offset, 0)
        from (select slot, next_offset from ${positions}) p
             full join ends e using (slot) join place using (slot)
       where coalesce(e.flushed_to, 0) <> coalesce(p.next_offset, 0))`,
  };
}

/**
 * Offsets that were never read: found or not, they are missing. Not a matter of the range: nobody
 * knows which hours they were of.
 */
export function loss(name: string, holds: string, { losses }: Books): SqlCheck {
  return {
    invariant: 'I3',
    name,
    holds,
    unit: 'loss intervals',
    sql: `
    looked as (select slot from ${losses}),
    bad as (select topic, partition, from_offset, to_offset, reason, noted_at
              from ${losses} left join place using (slot))`,
  };
}

/**
 * Condition: offsets that were found lost at `notedAt` may have held clicks of an hour. They had been
 * appended by then, and a click is at most 5 minutes ahead of its append time; 5 more for clocks that
 * differ. How old a click may be has no bound: a loss concerns every earlier hour.
 */
export function lossConcerns(notedAt: string, hour: string): string {
  return `(${notedAt} >= ${hour} - interval '10 minutes')`;
}

/**
 * Whether each flush has as many rows elsewhere as it says. Rows and flushes are laid out by
 * position, each row belongs to the last flush that begins at or below it. `rows` is a statement that
 * gives `slot`, `at` and `n`.
 */
export function contents(
  { flushes }: Books,
  { name, fate, rows, holds }: { name: string; fate: string; rows: string; holds: string },
): SqlCheck {
  return {
    invariant: 'I3',
    name,
    holds,
    unit: 'flushes',
    sql: `
      held as (${rows}),
      looked as (select slot, from_offset, to_offset, ${fate} as flushed from ${flushes}),
      marks as (select slot, from_offset as at, from_offset, 0::bigint as n from looked
                union all select slot, at, null, n from held),
      spread as (select slot, n, max(from_offset) over
                          (partition by slot order by at, n rows unbounded preceding) as from_offset
                   from marks),
      found as (select slot, from_offset, sum(n) as n from spread group by slot, from_offset),
      bad as (select topic, partition, from_offset, to_offset, flushed, n as found
                from found left join looked using (slot, from_offset) left join place using (slot)
               where n is distinct from flushed)`,
  };
}
