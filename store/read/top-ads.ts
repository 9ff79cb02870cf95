import { TruecountError } from '../../core/errors.js';
import type { TimeRange } from '../../core/range.js';
import type { MinuteState } from '../../core/state.js';
import { readRows, type Reader } from './connection.js';
import { exactNumber } from './values.js';

export interface TopQuestion {
  readonly windowMinutes: number;
  readonly topN: number;
  /** End of the window, on a minute; by default the watermark's minute. */
  readonly atMs?: number | undefined;
  /** The empty filter is the unfiltered total. */
  readonly filter: string;
}

export interface TopAnswer extends TimeRange {
  readonly state: MinuteState;
  readonly asOf: number;
  /** Most clicks first, equal ones by `adId` bytewise; ads without clicks are left out. */
  readonly ads: readonly { readonly adId: string; readonly count: number }[];
}

// The rows of one hour and filter are neighbours in the primary key. The inner `offset 0` makes the
// plan one index range per hour, whatever the statistics say; the outer one makes each row be added up
// once, and not again for `having`.
const SQL = `
  with mark as materialized (
    select publication, global_watermark_ms() as watermark_ms from ledger_head
  ), span as (
    select mark.*, range_to, range_to - $2::integer * interval '1 minute' as range_from
      from mark
     cross join lateral (
       select coalesce($1::timestamptz, to_timestamp(watermark_ms / 60000 * 60)) as range_to
     ) r
  )
  select span.publication, span.range_from, span.range_to,
         minute_state(span.range_to, span.watermark_ms) as state, top.ad_id, top.clicks
    from span
    left join lateral (
      select cell.ad_id, sum(cell.clicks) as clicks
        from (
          select c.ad_id, clicks_between(c.counts, s.first, s.last) as clicks
            from hour_slices(span.range_from, span.range_to) s
           cross join lateral (
             select ad_id, counts from live_cells where hour = s.hour and filter = $3 offset 0
           ) c
          offset 0
        ) cell
       group by cell.ad_id
      having sum(cell.clicks) > 0
       order by sum(cell.clicks) desc, cell.ad_id
       limit $4
    ) top on true
   order by top.clicks desc, top.ad_id`;

interface Row {
  publication: string;
  range_from: Date | null;
  range_to: Date | null;
  state: MinuteState;
  ad_id: string | null;
  clicks: string | null;
}

/**
 * The ads with the most clicks in the window that ends at `atMs`.
 * @throws TruecountError `not_ready` where `atMs` is left out and there is no watermark yet; what
 * `readRows` throws
 */
export async function readTopAds(reader: Reader, question: TopQuestion): Promise<TopAnswer> {
  const rows = await readRows<Row>(reader, 'top-ads', SQL, [
    question.atMs === undefined ? null : new Date(question.atMs),
    question.windowMinutes,
    question.filter,
    question.topN,
  ]);
  const [first] = rows;
  if (!first?.range_from || !first.range_to) {
    throw new TruecountError('not_ready', 'there is no watermark yet, so no default for at', {
      hint: 'give at, or wait until every partition of the log has been read from',
    });
  }
  return {
    fromMs: first.range_from.getTime(),
    toMs: first.range_to.getTime(),
    state: first.state,
    asOf: exactNumber(first.publication),
    ads: rows.flatMap(({ ad_id: adId, clicks }) =>
      adId === null || clicks === null ? [] : [{ adId, count: exactNumber(clicks) }],
    ),
  };
}
