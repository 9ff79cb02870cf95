import Type, { type Static } from 'typebox';
import { TruecountError } from '../../core/errors.js';
import type { Reader } from '../../store/read/connection.js';
import { TimeSchema } from '../schemas.js';
import { findRuleSet } from './rules.js';
import type { TrialOrder } from './trial-steps.js';

/** What one request may try. The answer is longer than the clicks: it has every step of each. */
export const TRIAL_LIMITS = { clicks: 100, answerBytes: 8 * 1024 * 1024 } as const;

/** The body of `POST /rules/try`. */
export const TrialBody = Type.Object(
  {
    rules: Type.Unknown({
      description:
        'number of a version, hash, or a rule set as an object: docs/reference/rule-set.schema.json',
      examples: [2],
    }),
    clicks: Type.Array(
      Type.Unknown({ description: 'a click as an object, or the record as text, byte for byte' }),
      {
        description: 'in log order, as if of one partition',
        minItems: 1,
        maxItems: TRIAL_LIMITS.clicks,
      },
    ),
  },
  { additionalProperties: false },
);

const FATES = ['counted', 'filtered', 'duplicate', 'quarantined'] as const;
const steps = (description: string) => Type.Optional(Type.Array(Type.Unknown(), { description }));

/** What becomes of one click. */
export const TrialDocument = Type.Object({
  line: Type.Integer({ minimum: 1, description: 'which of the clicks, from 1' }),
  fate: Type.Enum([...FATES]),
  reason: Type.Optional(
    Type.Union([Type.String(), Type.Null()], {
      description: 'why it is filtered or quarantined; null: it counts',
    }),
  ),
  detail: Type.Optional(Type.String({ description: 'where a quarantined record is wrong' })),
  ad_id: Type.Optional(Type.String()),
  event_id: Type.Optional(Type.String()),
  timestamp: Type.Optional(TimeSchema),
  of_line: Type.Optional(Type.Integer({ description: 'of a duplicate: the click it repeats' })),
  cells: Type.Optional(
    Type.Array(Type.String(), { description: 'filters of the cells that it adds 1 to' }),
  ),
  values: steps('each value: what it is made of, its steps, what came out'),
  dimensions: steps('each dimension, in the same form'),
  filters: steps('each filter with its conditions, and whether they hold'),
  caps: Type.Optional(
    Type.Union([Type.Array(Type.Unknown()), Type.Null()], {
      description: 'each cap, with the clicks before; null: a filter took the click out',
    }),
  ),
});

export const TrialsDocument = Type.Object(
  {
    rule_set: Type.String({ description: 'content hash of the rule set' }),
    trials: Type.Array(TrialDocument, { description: 'one per click, in their order' }),
  },
  { description: 'step by step, what a rule set does with clicks; nothing is stored' },
);

/**
 * Runs a trial beside the service, which goes on answering meanwhile, and ends it after a time. Throws as
 * `runTrials`, and `not_ready` where it takes too long or others are tried.
 */
export type TryRules = (order: TrialOrder) => Promise<Static<typeof TrialsDocument>>;

/**
 * Answers what a rule set would do with clicks.
 * @throws TruecountError `invalid_argument`, `not_found`, those of a read and of `TryRules`;
 * `component_unavailable` without one
 */
export async function answerTrials(
  reader: Reader,
  tryRules: TryRules | undefined,
  { rules, clicks }: Static<typeof TrialBody>,
): Promise<Static<typeof TrialsDocument>> {
  if (tryRules === undefined) {
    throw new TruecountError('component_unavailable', 'this service tries no rule sets', {
      hint: 'npx truecount rules try FILE',
    });
  }
  const records = clicks.map(recordOf);
  const answerBytesMax = TRIAL_LIMITS.answerBytes;
  return tryRules({ rules: await rulesOf(reader, rules), records, answerBytesMax });
}

async function rulesOf(reader: Reader, rules: unknown): Promise<TrialOrder['rules']> {
  if (typeof rules !== 'string' && typeof rules !== 'number') return { inline: rules };
  return { stored: (await findRuleSet(reader, String(rules))).ruleSet };
}

function recordOf(click: unknown, i: number): Uint8Array {
  const isObject = typeof click === 'object' && click !== null && !Array.isArray(click);
  if (typeof click === 'string') return new TextEncoder().encode(click);
  if (isObject) return new TextEncoder().encode(JSON.stringify(click));
  throw new TruecountError('invalid_argument', `clicks[${String(i)}] is no object and no text`, {
    hint: 'give a click as an object, or any record of the log as text',
  });
}
