import { setImmediate } from 'node:timers/promises';
import Type, { type Static } from 'typebox';
import type { Click } from '../../core/click/click.js';
import { TruecountError } from '../../core/errors.js';
import { formatTime } from '../../core/range.js';
import { hashRuleSet, type RuleSet } from '../../core/rules/rule-set.js';
import type { Trace, TracedValue } from '../../core/rules/trace.js';
import { TrialRun, type Trial } from '../../core/rules/trial.js';
import type { Reader } from '../../store/read/connection.js';
import { TimeSchema } from '../schemas.js';
import { findRuleSet } from './rules.js';
import { inlineRuleSet } from './rules-inline.js';

/** What one request may try. The answer is longer than the clicks: it has every step of each. */
export const TRIAL_LIMITS = { clicks: 100, answerBytes: 8 * 1024 * 1024, ms: 10_000 } as const;

type Limits = { readonly [K in keyof typeof TRIAL_LIMITS]: number };

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

const TrialDocument = Type.Object({
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
 * Answers what a rule set would do with clicks.
 * @throws TruecountError `invalid_argument`, `invalid_rule_set`, `not_found`, `not_ready` where it
 * takes too long, those of a read
 */
export async function answerTrials(
  reader: Reader,
  { rules, clicks }: Static<typeof TrialBody>,
  limits: Limits = TRIAL_LIMITS,
): Promise<Static<typeof TrialsDocument>> {
  const records = clicks.map(recordOf);
  const ruleSet = await rulesOf(reader, rules);
  return { rule_set: hashRuleSet(ruleSet), trials: await trialsOf(ruleSet, records, limits) };
}

async function rulesOf(reader: Reader, rules: unknown): Promise<RuleSet> {
  if (typeof rules !== 'string' && typeof rules !== 'number') return inlineRuleSet(rules);
  return (await findRuleSet(reader, String(rules))).ruleSet;
}

function recordOf(click: unknown, i: number): Uint8Array {
  const isObject = typeof click === 'object' && click !== null && !Array.isArray(click);
  if (typeof click === 'string') return new TextEncoder().encode(click);
  if (isObject) return new TextEncoder().encode(JSON.stringify(click));
  throw new TruecountError('invalid_argument', `clicks[${String(i)}] is no object and no text`, {
    hint: 'give a click as an object, or any record of the log as text',
  });
}

async function trialsOf(
  ruleSet: RuleSet,
  records: readonly Uint8Array[],
  limits: Limits,
): Promise<Static<typeof TrialDocument>[]> {
  const until = Date.now() + limits.ms;
  const run = new TrialRun(ruleSet);
  const trials: Static<typeof TrialDocument>[] = [];
  let left = limits.answerBytes;
  for (const [i, record] of records.entries()) {
    const document = trialDocument(run.take(record, i + 1));
    left -= sizeUpTo(document, left + 1);
    if (left < 0) throw tooMuch(i + 1, limits.answerBytes);
    trials.push(document);
    // What takes long must not keep others waiting.
    await setImmediate();
    if (Date.now() > until) {
      throw new TruecountError('not_ready', 'the trial took too long and was given up', {
        hint: 'try fewer clicks at once, or `truecount rules try`',
      });
    }
  }
  return trials;
}

function tooMuch(line: number, max: number): TruecountError {
  const message = `click ${String(line)} makes the answer larger than ${String(max)} bytes`;
  return new TruecountError('invalid_argument', message, {
    hint: 'try fewer clicks at once, or `truecount rules try`, which prints one by one',
  });
}

/** What a value is as JSON, about, without writing it: it stops at `max`. */
function sizeUpTo(value: unknown, max: number): number {
  if (typeof value === 'string') return value.length + 3;
  if (typeof value !== 'object' || value === null) return 8;
  let size = 2;
  for (const [key, member] of Object.entries(value)) {
    size += key.length + 4 + sizeUpTo(member, max - size);
    if (size >= max) return size;
  }
  return size;
}

/** What becomes of a record as one JSON document; texts are `{kind: value|absent|other, text}`. */
export function trialDocument(trial: Trial): Static<typeof TrialDocument> {
  const { line, fate } = trial;
  if (trial.fate === 'quarantined') {
    return { line, fate, reason: trial.reason, detail: trial.detail };
  }
  const click = clickDocument(trial.click);
  if (trial.fate === 'duplicate') return { line, fate, ...click, of_line: trial.of };
  return { line, fate, ...click, ...traceDocument(trial.trace, trial.fate === 'counted') };
}

function clickDocument({ adId, eventId, eventMs }: Click) {
  return { ad_id: adId, event_id: eventId, timestamp: formatTime(eventMs) };
}

function traceDocument(trace: Trace, counted: boolean) {
  return {
    reason: trace.reason,
    cells: counted ? [...trace.filters] : [],
    values: trace.values.map(valueDocument),
    dimensions: trace.dimensions.map(valueDocument),
    filters: [...trace.filtered],
    caps:
      trace.caps?.map(({ cap, value, before, above }) => ({ ...cap, value, before, above })) ??
      null,
  };
}

function valueDocument({ countedAs, ...value }: TracedValue) {
  return { ...value, counted_as: countedAs };
}
