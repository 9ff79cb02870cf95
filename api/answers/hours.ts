import Type, { type Static } from 'typebox';
import { TruecountError } from '../../core/errors.js';
import { formatTime, parseHourRange } from '../../core/range.js';
import type { Reader } from '../../store/read/connection.js';
import { readHours, type HourAnswer } from '../../store/read/hours.js';
import { StateSchema, TimeSchema } from '../schemas.js';

/** The question as it is asked: both ends or none. */
export interface HoursAsked {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

const HourDocument = Type.Object({
  hour: TimeSchema,
  state: StateSchema,
  revision: Type.Integer({ minimum: 0 }),
  rule_set: Type.String({ description: 'content hash of the rule set that the hour has pinned' }),
  cut_at: Type.Union([TimeSchema, Type.Null()], {
    description: 'when it was cut; null: the stream counts into it',
  }),
  cut: Type.Array(
    Type.Object({
      topic: Type.String(),
      partition: Type.Integer(),
      next_offset: Type.Integer({ description: 'clicks from this offset on are late' }),
    }),
    { description: 'the cut; a partition without an entry is 0; empty while the hour is not cut' },
  ),
  late_waiting: Type.Integer({ minimum: 0, description: 'late clicks that nobody has examined' }),
  due: Type.Boolean({ description: 'not cut, and ready to be' }),
  causes: Type.Array(Type.Object({ cause: Type.String(), detail: Type.String() }), {
    description: 'named causes for which the live count may differ from the exact one',
  }),
});

export const HoursDocument = Type.Object(
  {
    as_of: Type.Integer({ minimum: 0 }),
    watermark: Type.Union([TimeSchema, Type.Null()], {
      description: 'null: a partition that holds it back has not been read yet',
    }),
    hours: Type.Array(HourDocument),
  },
  { description: 'the hours there are, ascending; at most 1,000, the newest' },
);

/**
 * Answers how far each hour has come.
 * @throws TruecountError `invalid_argument`, `invalid_range` and those of a read
 */
export async function answerHours(
  reader: Reader,
  asked: HoursAsked,
): Promise<Static<typeof HoursDocument>> {
  const found = await readHours(reader, rangeOf(asked));
  return {
    as_of: found.asOf,
    watermark: timeOrNull(found.watermarkMs),
    hours: found.hours.map(toDocument),
  };
}

function rangeOf({ from, to }: HoursAsked) {
  if (from === undefined && to === undefined) return null;
  if (from !== undefined && to !== undefined) return parseHourRange(from, to);
  throw new TruecountError('invalid_argument', 'from and to go together', {
    hint: 'give both, or none for the newest hours',
  });
}

function toDocument(hour: HourAnswer): Static<typeof HourDocument> {
  return {
    hour: formatTime(hour.hourMs),
    state: hour.state,
    revision: hour.revision,
    rule_set: hour.ruleSet,
    cut_at: timeOrNull(hour.cutAtMs),
    cut: hour.cut.map(({ topic, partition, nextOffset }) => ({
      topic,
      partition,
      next_offset: nextOffset,
    })),
    late_waiting: hour.lateWaiting,
    due: hour.due,
    causes: [...hour.causes],
  };
}

function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : formatTime(ms);
}
