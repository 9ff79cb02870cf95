import Type, { type Static } from 'typebox';
import { parseAdId, parseFilterId } from '../../core/question.js';
import { WINDOW_DAYS_MAX, formatTime, parseMinuteRange } from '../../core/range.js';
import { readAggregatedCount } from '../../store/read/aggregated-count.js';
import type { Reader } from '../../store/read/connection.js';
import { checkDimension } from '../../store/read/dimensions.js';
import {
  SumSchema,
  FinalUntilSchema,
  LatePendingSchema,
  PublicationSchema,
  RevisionSchema,
  StateSchema,
  TimeSchema,
  UncountedHoursSchema,
} from '../schemas.js';

/** The question as it is asked, over HTTP or on the command line. */
export interface CountAsked {
  readonly ad_id: string;
  readonly from: string;
  readonly to: string;
  readonly filter_id?: string | undefined;
  readonly as_of?: number | undefined;
}

export const CountDocument = Type.Object(
  {
    ad_id: Type.String(),
    from: TimeSchema,
    to: TimeSchema,
    filter_id: Type.Optional(Type.String()),
    count: SumSchema,
    state: StateSchema,
    revision: RevisionSchema,
    final_until: FinalUntilSchema,
    late_pending: LatePendingSchema,
    uncounted_hours: UncountedHoursSchema,
    as_of: PublicationSchema,
  },
  { description: 'the clicks on one ad in a range of minutes' },
);

/**
 * Answers how often an ad was clicked in a range.
 * @throws TruecountError `invalid_argument`, `invalid_range`, `not_found` and `collected`
 * (as_of), and those of a read
 */
export async function answerCount(
  reader: Reader,
  asked: CountAsked,
): Promise<Static<typeof CountDocument>> {
  const adId = parseAdId(asked.ad_id);
  const filter = parseFilterId(asked.filter_id);
  const range = parseMinuteRange(asked.from, asked.to, WINDOW_DAYS_MAX);
  const found = await readAggregatedCount(reader, { ...range, adId, filter, asOf: asked.as_of });
  if (found.count === 0) await checkDimension(reader, filter);
  return {
    ad_id: adId,
    from: formatTime(range.fromMs),
    to: formatTime(range.toMs),
    ...(filter === '' ? {} : { filter_id: filter }),
    count: found.count,
    state: found.state,
    revision: found.revision,
    final_until: found.finalUntilMs === null ? null : formatTime(found.finalUntilMs),
    late_pending: found.latePending,
    ...(found.uncountedHours === 0 ? {} : { uncounted_hours: found.uncountedHours }),
    as_of: found.asOf,
  };
}
