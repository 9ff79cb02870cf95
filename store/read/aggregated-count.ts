import type { TimeRange } from '../../core/range.js';
import type { MinuteState } from '../../core/state.js';
import { checkAsOf } from './as-of.js';
import { readRow, type Reader } from './connection.js';
import { exactNumber } from './values.js';

export interface CountQuestion extends TimeRange {
  readonly adId: string;
  /** `country:US`; the empty filter is the unfiltered total. */
  readonly filter: string;
  readonly asOf?: number | undefined;
}

export interface CountAnswer {
  readonly count: number;
  readonly state: MinuteState;
  readonly revision: number;
  /** Late clicks of the range that nobody has examined: an upper bound, some may be retries. */
  readonly latePending: number;
  /** The publication number that was read. */
  readonly asOf: number;
}

// One statement, one snapshot: count, state and late clicks belong together (I7). The state of a
// range is that of its last minute, the weakest while nothing but the watermark makes a state.
// `offset 0` makes the plan one index lookup per hour, whatever the statistics say.
const SQL = `
  select head.publication,
         minute_state($4::timestamptz, (select global_watermark_ms())) as state,
         (select coalesce(sum(clicks_between(c.counts, s.first, s.last)), 0)
            from hour_slices($3::timestamptz, $4::timestamptz) s
           cross join lateral (
             select counts from live_cells
              where hour = s.hour and filter = $2 and ad_id = $1 offset 0
           ) c) as count,
         (select count(*)
            from late_clicks l
           where l.ad_id = $1 and l.hour >= date_trunc('hour', $3, 'UTC') and l.hour < $4
             and l.hour + l.minute * interval '1 minute' >= $3
             and l.hour + l.minute * interval '1 minute' < $4
             and ($2 = '' or $2 = any (l.filters))) as late_pending
    from ledger_head head`;

interface Row {
  publication: string;
  state: MinuteState;
  count: string;
  late_pending: string;
}

/**
 * Clicks on one ad in `[fromMs, toMs)`, whole minutes. Minutes without clicks count as 0.
 * @throws TruecountError `not_found` for an unknown `asOf`; what `readRow` throws
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
  ]);
  const asOf = exactNumber(row.publication);
  checkAsOf(question.asOf, asOf);
  return {
    count: exactNumber(row.count),
    state: row.state,
    revision: 0,
    latePending: exactNumber(row.late_pending),
    asOf,
  };
}
