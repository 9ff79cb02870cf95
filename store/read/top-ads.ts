import { TruecountError } from '../../core/errors.js';
import type { TimeRange } from '../../core/range.js';
import type { MinuteState } from '../../core/state.js';
import { checkAsOf, checkKept } from './as-of.js';
import { readRow, type Reader } from './connection.js';
import { isUncounted } from './dimensions.js';
import { exactCount, exactNumber, type ExactCount } from './values.js';

export interface TopQuestion {
  readonly windowMinutes: number;
  readonly topN: number;
  /** End of the window, on a minute; by default the watermark's minute. */
  readonly atMs?: number | undefined;
  /** The empty filter is the unfiltered total. */
  readonly filter: string;
  /** Publication number to read; by default the newest. */
  readonly asOf?: number | undefined;
}

export interface TopAnswer extends TimeRange {
  readonly state: MinuteState;
  /** The highest of its hours; 0: all of them are live. */
  readonly revision: number;
  /** Hours whose rule set does not count by the filter's dimension: nothing of them is in the list. */
  readonly uncountedHours: number;
  readonly asOf: number;
  /** Most clicks first, equal ones by `adId` bytewise; ads without clicks are left out. */
  readonly ads: readonly { readonly adId: string; readonly count: ExactCount }[];
}

// The rows of one hour and filter are neighbours in the primary keys. The inner `offset 0` makes the
// plan one index range per hour, whatever the statistics say; the outer one makes each row be added up
// once, and not again for `having`.
const SQL = `
  with mark as materialized (
    select publication as newest, coalesce($5::bigint, publication) as as_of,
           global_watermark_ms() as watermark_ms
      from ledger_head
  ), span as materialized (
    select mark.*, range_to, range_to - $2::integer * interval '1 minute' as range_from
      from mark
     cross join lateral (
       select coalesce($1::timestamptz, to_timestamp(watermark_ms / 60000 * 60)) as range_to
     ) r
  ), slice as materialized (
    select s.* from span cross join served_slices(span.range_from, span.range_to, span.as_of) s
  )
  select span.newest, span.as_of, span.range_from, span.range_to, served.*, top.ads,
         (select count(*) from slice p where ${isUncounted('p', '$3')}) as uncounted,
         (select min(g.id) from slice p join generations g on g.id = p.generation
           where $5 is not null and g.collected_at is not null) as collected
    from span
   cross join lateral (
     select coalesce(max(s.revision), 0) as revision,
            case when bool_and(s.generation is not null) then 'final'
                 else minute_state(max(s.hour + s.last * interval '1 minute')
                                     filter (where s.generation is null),
                                   span.watermark_ms) end as state
       from slice s
   ) served
   cross join (
     select json_agg(json_build_array(t.ad_id, t.clicks::text)
                     order by t.clicks desc, t.ad_id) as ads
       from (
         select cell.ad_id, sum(cell.clicks) as clicks
           from (
             select c.ad_id, clicks_between(c.counts, s.first, s.last) as clicks
               from slice s
              cross join lateral (
                select ad_id, counts from generation_cells
                 where generation = s.generation and filter = $3
                union all
                select ad_id, counts from live_cells
                 where s.generation is null and hour = s.hour and filter = $3
                offset 0
              ) c
             offset 0
           ) cell
          group by cell.ad_id
         having sum(cell.clicks) > 0
          order by sum(cell.clicks) desc, cell.ad_id
          limit $4
       ) t
   ) top`;

interface Row {
  newest: string;
  as_of: string;
  range_from: Date | null;
  range_to: Date | null;
  state: MinuteState;
  revision: number;
  uncounted: string;
  ads: [adId: string, clicks: string][] | null;
  collected: string | null;
}

/**
 * The ads with the most clicks in the window that ends at `atMs`.
 * @throws TruecountError `not_ready` where `atMs` is left out and there is no watermark yet;
 * `not_found` for an unknown `asOf`, `collected` where its cells are gone; what `readRow` throws
 */
export async function readTopAds(reader: Reader, question: TopQuestion): Promise<TopAnswer> {
  const row = await readRow<Row>(reader, 'top-ads', SQL, [
    question.atMs === undefined ? null : new Date(question.atMs),
    question.windowMinutes,
    question.filter,
    question.topN,
    question.asOf ?? null,
  ]);
  checkAsOf(question.asOf, exactNumber(row.newest));
  if (row.range_from === null || row.range_to === null) {
    throw new TruecountError('not_ready', 'there is no watermark yet, so no default for at', {
      hint: 'give at, or wait until every partition of the log has been read from',
    });
  }
  checkKept(question.asOf, row.collected);
  return {
    fromMs: row.range_from.getTime(),
    toMs: row.range_to.getTime(),
    state: row.state,
    revision: row.revision,
    uncountedHours: exactNumber(row.uncounted),
    asOf: exactNumber(row.as_of),
    ads: (row.ads ?? []).map(([adId, count]) => ({ adId, count: exactCount(count) })),
  };
}
