import Type, { type Static } from 'typebox';
import { parseFilterId } from '../../core/question.js';
import { formatTime, parseMinute } from '../../core/range.js';
import type { Reader } from '../../store/read/connection.js';
import { checkDimension } from '../../store/read/dimensions.js';
import { readTopAds } from '../../store/read/top-ads.js';
import {
  SumSchema,
  PublicationSchema,
  RevisionSchema,
  StateSchema,
  TimeSchema,
  UncountedHoursSchema,
} from '../schemas.js';

/** The question as it is asked, over HTTP or on the command line. Its numbers are in bounds. */
export interface TopAsked {
  /** Minutes. */
  readonly window_size: number;
  readonly top_n: number;
  readonly at?: string | undefined;
  readonly filter_id?: string | undefined;
  readonly as_of?: number | undefined;
}

export const TopDocument = Type.Object(
  {
    window_size: Type.Integer({ minimum: 1, description: 'minutes' }),
    from: TimeSchema,
    to: TimeSchema,
    filter_id: Type.Optional(Type.String()),
    state: StateSchema,
    revision: RevisionSchema,
    uncounted_hours: UncountedHoursSchema,
    as_of: PublicationSchema,
    ads: Type.Array(Type.Object({ ad_id: Type.String(), count: SumSchema }), {
      description: 'most clicks first; equal ones by ad_id, bytewise; ads without clicks left out',
    }),
  },
  { description: 'the most clicked ads of a window' },
);

/**
 * Answers which ads were clicked most in the window that ends at `at`.
 * @throws TruecountError `invalid_argument`, `invalid_range`, `not_ready` (no watermark), `not_found` and
 * `collected` (as_of), and those of a read
 */
export async function answerTop(
  reader: Reader,
  asked: TopAsked,
): Promise<Static<typeof TopDocument>> {
  const filter = parseFilterId(asked.filter_id);
  const found = await readTopAds(reader, {
    windowMinutes: asked.window_size,
    topN: asked.top_n,
    atMs: asked.at === undefined ? undefined : parseMinute('at', asked.at),
    filter,
    asOf: asked.as_of,
  });
  if (found.ads.length === 0) await checkDimension(reader, filter);
  return {
    window_size: asked.window_size,
    from: formatTime(found.fromMs),
    to: formatTime(found.toMs),
    ...(filter === '' ? {} : { filter_id: filter }),
    state: found.state,
    revision: found.revision,
    ...(found.uncountedHours === 0 ? {} : { uncounted_hours: found.uncountedHours }),
    as_of: found.asOf,
    ads: found.ads.map(({ adId, count }) => ({ ad_id: adId, count })),
  };
}
