import type { TimeRange } from '../../core/range.js';
import type { MinuteState } from '../../core/state.js';
import { checkAsOf, checkKept } from './as-of.js';
import { readRow, type Reader } from './connection.js';
import { isUncounted } from './dimensions.js';
import { exactCount, exactNumber, type ExactCount } from './values.js';

export interface CountQuestion extends TimeRange {
  readonly adId: string;
  /** `country:US`; the empty filter is the unfiltered total. */
  readonly filter: string;
  /** Publication number to read; by default the newest. */
  readonly asOf?: number | undefined;
}

export interface CountAnswer {
  readonly count: ExactCount;
  /** The weakest of its minutes. */
  readonly state: MinuteState;
  /** The highest of its hours; 0: all of them are live. */
  readonly revision: number;
  /** Minutes of the range before it are final; null: the first is not. */
  readonly finalUntilMs: number | null;
  /** Late clicks of the range that nobody has examined: an upper bound, some may be retries. */
  readonly latePending: number;
  /** Hours whose rule set does not count by the filter's dimension: nothing of them is in `count`. */
  readonly uncountedHours: number;
  /** The publication number that was read. */
  readonly asOf: number;
}

// One statement, one snapshot: pointers, counts, state and late clicks belong together (I7). One
// index lookup per hour, whatever the statistics say: `offset 0` keeps the order of the joins.
const SQL = `
  with mark as materialized (
    select publication as newest, coalesce($5::bigint, publication) as as_of from ledger_head
  ), slice as materialized (
    select s.* from mark cross join served_slices($3::timestamptz, $4::timestamptz, mark.as_of) s
  )
  select mark.newest, mark.as_of, sum(c.clicks) as count,
         coalesce(max(s.revision), 0) as revision,
         case when bool_and(s.generation is not null) then 'final'
              else minute_state(max(s.hour + s.last * interval '1 minute')
                                  filter (where s.generation is null),
                                (select global_watermark_ms())) end as state,
         min(s.hour + (s.first - 1) * interval '1 minute')
           filter (where s.generation is null) as live_from,
         (select count(*)
            from late_clicks l join slice p on p.hour = l.hour
           where l.ad_id = $1 and l.hour >= date_trunc('hour', $3, 'UTC') and l.hour < $4
             and l.minute between p.first - 1 and p.last - 1
             and late_may_match($2, l.filters, p.generation)
             and is_late_pending(p.generation, mark.as_of, l.slot, l.log_offset)) as late_pending,
         (select count(*) from slice p where ${isUncounted('p', '$2')}) as uncounted,
         (select min(g.id) from slice p join generations g on g.id = p.generation
           where $5 is not null and g.collected_at is not null) as collected
    from mark cross join slice s
    left join lateral (
      select clicks_between(counts, s.first, s.last) as clicks
        from generation_cells
       where generation = s.generation and filter = $2 and ad_id = $1
      union all
      select clicks_between(counts, s.first, s.last)
        from live_cells
       where s.generation is null and hour = s.hour and filter = $2 and ad_id = $1
      offset 0
    ) c on true
   group by mark.newest, mark.as_of`;

interface Row {
  newest: string;
  as_of: string;
  count: string | null;
  revision: number;
  state: MinuteState;
  live_from: Date | null;
  late_pending: string;
  uncounted: string;
  collected: string | null;
}

/**
 * Clicks on one ad in `[fromMs, toMs)`, whole minutes. Minutes without clicks count as 0.
 * @throws TruecountError `not_found` for an unknown `asOf`, `collected` where its cells are gone;
 * what `readRow` throws
 */
export async function readAggregatedCount(
  reader: Reader,
  question: CountQuestion,
): Promise<CountAnswer> {
  const row = await readRow<Row>(reader, 'aggregated-count', SQL, [
    question.adId,
    question.filter,
    new Date(question.fromMs),
    new Date(question.toMs),
    question.asOf ?? null,
  ]);
  checkAsOf(question.asOf, exactNumber(row.newest));
  checkKept(question.asOf, row.collected);
  return {
    count: exactCount(row.count ?? 0),
    state: row.state,
    revision: row.revision,
    finalUntilMs: finalUntil(question, row.live_from?.getTime() ?? null),
    latePending: exactNumber(row.late_pending),
    uncountedHours: exactNumber(row.uncounted),
    asOf: exactNumber(row.as_of),
  };
}

/** Up to where a range is final, given where what is not final begins; null: all of it is final. */
export function finalUntil({ fromMs, toMs }: TimeRange, liveFromMs: number | null): number | null {
  const untilMs = liveFromMs ?? toMs;
  return untilMs > fromMs ? untilMs : null;
}
