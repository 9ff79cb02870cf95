import Type, { type Static } from 'typebox';
import { GRANULARITIES, type Granularity } from '../../core/buckets.js';
import { parseAdId, parseFilterId } from '../../core/question.js';
import { formatTime, parseMinuteRange } from '../../core/range.js';
import type { Reader } from '../../store/read/connection.js';
import { checkDimension } from '../../store/read/dimensions.js';
import { readTimeseries, type SeriesAnswer } from '../../store/read/timeseries.js';
import {
  CountSchema,
  FinalUntilSchema,
  LatePendingSchema,
  PublicationSchema,
  RevisionSchema,
  StateSchema,
  SumSchema,
  TimeSchema,
  UncountedHoursSchema,
} from '../schemas.js';
import type { CountAsked } from './count.js';

/** The question as it is asked. */
export interface SeriesAsked extends CountAsked {
  /** Default: `minute`. */
  readonly granularity?: Granularity | undefined;
}

export const GranularitySchema = Type.Enum(Object.keys(GRANULARITIES) as Granularity[], {
  description: 'length of a bucket; hours and days begin at their UTC start',
  default: 'minute',
});

const BucketDocument = Type.Object({
  from: TimeSchema,
  to: TimeSchema,
  count: CountSchema,
  state: StateSchema,
  revision: RevisionSchema,
  late_pending: LatePendingSchema,
});

export const TimeseriesDocument = Type.Object(
  {
    ad_id: Type.String(),
    from: TimeSchema,
    to: TimeSchema,
    filter_id: Type.Optional(Type.String()),
    granularity: GranularitySchema,
    count: SumSchema,
    state: StateSchema,
    revision: RevisionSchema,
    final_until: FinalUntilSchema,
    late_pending: LatePendingSchema,
    uncounted_hours: UncountedHoursSchema,
    as_of: PublicationSchema,
    buckets: Type.Array(BucketDocument, {
      description: 'ascending, without a gap; the first and the last may be cut short by the range',
    }),
  },
  { description: 'the clicks on one ad in a range of minutes, in buckets' },
);

/** What was asked, understood, and what was found: to be written as JSON or as Arrow. */
export interface Series {
  readonly adId: string;
  readonly filter: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly granularity: Granularity;
  readonly answer: SeriesAnswer;
}

/**
 * Answers how often an ad was clicked in each bucket of a range.
 * @throws TruecountError `invalid_argument`, `invalid_range`, `not_found` and `collected`
 * (as_of), and those of a read
 */
export async function answerSeries(reader: Reader, asked: SeriesAsked): Promise<Series> {
  const adId = parseAdId(asked.ad_id);
  const filter = parseFilterId(asked.filter_id);
  const range = parseMinuteRange(asked.from, asked.to);
  const granularity = asked.granularity ?? 'minute';
  const question = { ...range, adId, filter, granularity, asOf: asked.as_of };
  const answer = await readTimeseries(reader, question);
  if (answer.count === 0) await checkDimension(reader, filter);
  return { adId, filter, ...range, granularity, answer };
}

/** A series as JSON. */
export function seriesDocument(series: Series): Static<typeof TimeseriesDocument> {
  const { adId, filter, fromMs, toMs, granularity, answer } = series;
  return {
    ad_id: adId,
    from: formatTime(fromMs),
    to: formatTime(toMs),
    ...(filter === '' ? {} : { filter_id: filter }),
    granularity,
    count: answer.count,
    state: answer.state,
    revision: answer.revision,
    final_until: answer.finalUntilMs === null ? null : formatTime(answer.finalUntilMs),
    late_pending: answer.latePending,
    ...(answer.uncountedHours === 0 ? {} : { uncounted_hours: answer.uncountedHours }),
    as_of: answer.asOf,
    buckets: answer.buckets.map((bucket) => ({
      from: formatTime(bucket.fromMs),
      to: formatTime(bucket.toMs),
      count: bucket.count,
      state: bucket.state,
      revision: bucket.revision,
      late_pending: bucket.latePending,
    })),
  };
}
