import Type, { type Static } from 'typebox';
import { TruecountError } from '../../core/errors.js';
import { formatTime, parseHourRange, type TimeRange } from '../../core/range.js';
import { COUNTED_AGES, staleRanges, type StaleHour } from '../../core/rules/stale.js';
import type { Reader } from '../../store/read/connection.js';
import { readStaleHours, type SupposedRules } from '../../store/read/stale-hours.js';
import { CountSchema, TimeSchema } from '../schemas.js';
import { HashSchema } from './rules.js';

/** Hours that the HTTP API names; the ranges are always complete. */
export const STALE_HOURS_MAX = 1_000;

/** The question as it is asked: both ends or none. */
export interface StaleAsked {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

const Work = {
  files: Type.Integer({ minimum: 0, description: 'of the lake; one that hours share, once each' }),
  bytes: CountSchema,
  clicks: Type.Integer({ minimum: 0, description: 'rows of the lake that a replay reads' }),
};

const Which = {
  counted_by: { ...HashSchema, description: 'the rule set of the generation that serves' },
  counted_by_version: Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], {
    description: 'its version, of a range that of the first hour; null: it was never put',
  }),
  in_force: { ...HashSchema, description: 'the rule set in force' },
  in_force_version: Type.Integer({ minimum: 1 }),
  age: Type.Enum([...COUNTED_AGES], {
    description:
      'counted by an older version than the one in force, by a newer one that a replay named, or ' +
      'unlisted: by a rule set that is no version',
  }),
};

const Hours = {
  ...Work,
  ranges: Type.Array(
    Type.Object({ ...{ from: TimeSchema, to: TimeSchema, hours: CountSchema }, ...Which, ...Work }),
    { description: 'hours that follow each other, of the same two rule sets: a replay each' },
  ),
  hours: Type.Array(
    Type.Object({
      ...{ hour: TimeSchema, revision: Type.Integer({ minimum: 1 }) },
      ...Which,
      held: Type.Boolean({ description: 'a rollback keeps automatic publication off it' }),
      ...Work,
    }),
    { description: `ascending; GET /rules/stale names the first ${String(STALE_HOURS_MAX)}` },
  ),
};

export const StaleRulesDocument = Type.Object(
  {
    stale: CountSchema,
    ...Hours,
    newer: Type.Object(
      { count: CountSchema, ...Hours },
      {
        description:
          'not stale: counted by a newer version than the one in force for them, as a replay does ' +
          'that names it',
      },
    ),
  },
  { description: 'final hours counted by another rule set than the one in force for them' },
);

/**
 * Answers which final hours are counted by another rule set than the one in force for them.
 * @param hoursMax how many of them are named
 * @throws TruecountError `invalid_argument`, `invalid_range`, those of a read
 */
export async function answerStaleRules(
  reader: Reader,
  asked: StaleAsked,
  hoursMax = STALE_HOURS_MAX,
): Promise<Static<typeof StaleRulesDocument>> {
  return staleDocument(await readStaleHours(reader, rangeOf(asked)), hoursMax);
}

/** The same if a rule set were in force from an hour on. */
export async function answerSupposedRules(
  reader: Reader,
  supposed: SupposedRules,
  hoursMax = STALE_HOURS_MAX,
): Promise<Static<typeof StaleRulesDocument>> {
  return staleDocument(await readStaleHours(reader, null, supposed), hoursMax);
}

function staleDocument(
  found: readonly StaleHour[],
  hoursMax: number,
): Static<typeof StaleRulesDocument> {
  const newer = found.filter(({ age }) => age === 'newer');
  const stale = found.filter(({ age }) => age !== 'newer');
  return {
    ...{ stale: stale.length, ...hoursDocument(stale, hoursMax) },
    newer: { count: newer.length, ...hoursDocument(newer, hoursMax) },
  };
}

function hoursDocument(hours: readonly StaleHour[], hoursMax: number) {
  const sum = (of: (hour: StaleHour) => number): number =>
    hours.reduce((total, hour) => total + of(hour), 0);
  return {
    files: sum((hour) => hour.files),
    bytes: sum((hour) => hour.bytes),
    clicks: sum((hour) => hour.clicks),
    ranges: staleRanges(hours).map((range) => ({
      ...{ from: formatTime(range.fromMs), to: formatTime(range.toMs), hours: range.hours },
      ...which(range),
      ...{ files: range.files, bytes: range.bytes, clicks: range.clicks },
    })),
    hours: hours.slice(0, hoursMax).map((hour) => ({
      ...{ hour: formatTime(hour.hourMs), revision: hour.revision },
      ...{ ...which(hour), held: hour.held },
      ...{ files: hour.files, bytes: hour.bytes, clicks: hour.clicks },
    })),
  };
}

function which(of: Omit<StaleHour, 'hourMs' | 'revision' | 'held'>) {
  return {
    ...{ counted_by: of.countedBy, counted_by_version: of.countedByVersion },
    ...{ in_force: of.inForce, in_force_version: of.inForceVersion },
    age: of.age,
  };
}

function rangeOf({ from, to }: StaleAsked): TimeRange | null {
  if (from === undefined && to === undefined) return null;
  if (from !== undefined && to !== undefined) return parseHourRange(from, to);
  throw new TruecountError('invalid_argument', 'from and to go together', {
    hint: 'give both, or none for all hours',
  });
}
