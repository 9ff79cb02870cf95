import { bucketsOf, join, type Bucket, type Granularity } from '../../core/buckets.js';
import { checkAsOf, checkKept } from './as-of.js';
import { finalUntil, type CountAnswer, type CountQuestion } from './aggregated-count.js';
import { readRows, type Reader } from './connection.js';
import { isUncounted } from './dimensions.js';
import { exactNumber, exactNumberOrNull, exactSum } from './values.js';

export interface SeriesQuestion extends CountQuestion {
  readonly granularity: Granularity;
}

export interface SeriesAnswer extends CountAnswer {
  /** Ascending, without a gap. */
  readonly buckets: readonly Bucket[];
}

// One statement, one snapshot, one row per hour of the range; see aggregated-count.ts. `late` is
// {"minute": clicks}.
const SQL = `
  with mark as materialized (
    select publication as newest, coalesce($5::bigint, publication) as as_of,
           global_watermark_ms() as watermark_ms
      from ledger_head
  )
  select mark.*, s.hour, s.revision,
         (select json_agg(c.counts)
            from (
              select counts from generation_cells
               where generation = s.generation and filter = $2 and ad_id = $1
              union all
              select counts from live_cells
               where s.generation is null and hour = s.hour and filter = $2 and ad_id = $1
            ) c) as rows,
         (select json_object_agg(l.minute, l.clicks)
            from (
              select minute, count(*) as clicks from late_clicks
               where ad_id = $1 and hour = s.hour and late_may_match($2, filters, s.generation)
                 and is_late_pending(s.generation, mark.as_of, slot, log_offset)
               group by minute
            ) l) as late,
         ${isUncounted('s', '$2')} as uncounted,
         (select id from generations
           where $5 is not null and id = s.generation and collected_at is not null) as collected
    from mark cross join served_slices($3::timestamptz, $4::timestamptz, mark.as_of) s
   order by s.hour`;

interface Row {
  newest: string;
  as_of: string;
  watermark_ms: string | null;
  hour: Date;
  revision: number | null;
  rows: number[][] | null;
  late: Record<string, number> | null;
  uncounted: boolean;
  collected: string | null;
}

/**
 * Clicks on one ad in `[fromMs, toMs)`, whole minutes, as a series; the sum of its buckets is what
 * `readAggregatedCount` gives.
 * @throws TruecountError `not_found` for an unknown `asOf`, `collected` where its cells are gone;
 * what `readRows` throws
 */
export async function readTimeseries(
  reader: Reader,
  question: SeriesQuestion,
): Promise<SeriesAnswer> {
  const rows = await readRows<Row>(reader, 'timeseries', SQL, [
    question.adId,
    question.filter,
    new Date(question.fromMs),
    new Date(question.toMs),
    question.asOf ?? null,
  ]);
  const first = rows[0]!; // a range is never empty
  checkAsOf(question.asOf, exactNumber(first.newest));
  checkKept(question.asOf, rows.find((row) => row.collected !== null)?.collected ?? null);
  const hours = rows.map((row) => ({
    hourMs: row.hour.getTime(),
    revision: row.revision,
    rows: row.rows ?? [],
    late: new Map(Object.entries(row.late ?? {}).map(([minute, n]) => [Number(minute), n])),
  }));
  const watermarkMs = exactNumberOrNull(first.watermark_ms);
  const buckets = bucketsOf(question, hours, watermarkMs, question.granularity);
  const { state, revision, latePending } = buckets.reduce(join);
  const live = hours.find((hour) => hour.revision === null);
  return {
    count: exactSum(buckets.map(({ count }) => count)),
    state,
    revision,
    finalUntilMs: finalUntil(question, live?.hourMs ?? null),
    latePending,
    uncountedHours: rows.filter(({ uncounted }) => uncounted).length,
    asOf: exactNumber(first.as_of),
    buckets,
  };
}
