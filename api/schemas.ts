import Type from 'typebox';
import { ERROR_CODES } from '../core/errors.js';
import { MINUTE_STATES } from '../core/state.js';

/** Schemas that several routes share: they check, type and document at once. */

const time = (description: string, example: string) =>
  Type.String({ description, examples: [example], minLength: 1, maxLength: 64 });

/** First minute (or hour) of a range. */
export const FromSchema = time('first minute: RFC 3339, or UTC as 2026-11-21T10', '2026-11-21T10');

/** End of a range, not in it. */
export const ToSchema = time('end of the range, not in it', '2026-11-21T11:00:00Z');

export const AtSchema = time(
  'end of the window, on a minute; by default the watermark, floored to its minute',
  '2026-11-21T11:00:00Z',
);

export const FilterSchema = Type.String({
  description: 'dimension:value; left out: the unfiltered total',
  examples: ['country:US'],
});

export const AsOfSchema = Type.Integer({
  description: 'publication number of an earlier answer: every final minute is as it was then',
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
});

export const StateSchema = Type.Enum([...MINUTE_STATES], {
  description: 'the weakest state of the minutes asked for, empty ones included',
});

export const CountSchema = Type.Integer({ minimum: 0 });

/** A sum over time. Exact, however large: above 2^53 a reader has to read whole numbers as such. */
export const SumSchema = Type.Unsafe<number | bigint>(CountSchema);

export const TimeSchema = Type.String({ description: 'RFC 3339, UTC', format: 'date-time' });

export const UncountedHoursSchema = Type.Optional(
  Type.Integer({
    minimum: 1,
    description:
      'hours of the range whose rule set does not count by the dimension of the filter: nothing of ' +
      'them is in the counts; left out where there are none',
  }),
);

export const RevisionSchema = Type.Integer({
  minimum: 0,
  description: 'the highest revision of the hours; 0: no generation serves any of them',
});

export const LatePendingSchema = Type.Integer({
  minimum: 0,
  description: 'late clicks recorded and not yet examined: an upper bound of what may be added',
});

export const FinalUntilSchema = Type.Union([TimeSchema, Type.Null()], {
  description: 'minutes before it are final; null: the first is not',
});

export const PublicationSchema = Type.Integer({
  minimum: 0,
  description: 'the publication number that was read',
});

/** Entries, cells and the like of one answer. */
export const LimitSchema = (what: string, maximum: number, fallback: number) =>
  Type.Integer({ description: `${what} at most`, minimum: 1, maximum, default: fallback });

export const AfterSchema = Type.Integer({
  description: 'publication number: what came after it',
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
});

/** RFC 9457. */
export const ProblemSchema = Type.Object(
  {
    type: Type.String({ description: 'urn:truecount:problem: and the code' }),
    title: Type.String({ description: 'the code in words' }),
    status: Type.Integer(),
    detail: Type.String({ description: 'what happened' }),
    instance: Type.String({ description: 'names this request in the log of the service' }),
    code: Type.Enum(Object.keys(ERROR_CODES), { description: 'closed list' }),
    hint: Type.Optional(Type.String({ description: 'what to do' })),
    hour: Type.Optional(Type.String({ description: 'of `revision_conflict`: the hour' })),
    revision: Type.Optional(
      Type.Integer({ description: 'of `revision_conflict`: the current revision of the hour' }),
    ),
  },
  { description: 'a problem document (RFC 9457)' },
);

const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: ProblemSchema } },
});

/** The answers besides 200 that every route that reads can give. */
export const PROBLEM_RESPONSES = {
  400: problem('the question is wrong; `code` and `hint` say how'),
  404: problem('what is asked for is not known here'),
  503: problem('Postgres is away, busy or not migrated; try again after `Retry-After` seconds'),
} as const;

/** Of routes that answer about the past. */
export const COLLECTED_RESPONSE = {
  410: problem('retention has removed what the answer needs'),
} as const;

/** Of routes that change something. */
export const CONFLICT_RESPONSE = {
  409: problem('its present state does not allow it, or somebody else was first'),
} as const;
