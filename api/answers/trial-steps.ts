import type { Static } from 'typebox';
import type { Click } from '../../core/click/click.js';
import { TruecountError } from '../../core/errors.js';
import { formatTime } from '../../core/range.js';
import { hashRuleSet, type RuleSet } from '../../core/rules/rule-set.js';
import type { Trace, TracedValue } from '../../core/rules/trace.js';
import { TrialRun, type Trial } from '../../core/rules/trial.js';
import { inlineRuleSet } from './rules-inline.js';
import type { TrialDocument, TrialsDocument } from './rules-trial.js';

/** What is to be tried, as it goes to whoever does it: data that can be cloned. */
export interface TrialOrder {
  /** One that is stored, or one of the request, which nobody has checked yet. */
  readonly rules: { readonly stored: RuleSet } | { readonly inline: unknown };
  /** In log order. */
  readonly records: readonly Uint8Array[];
  /** A longer answer is refused. */
  readonly answerBytesMax: number;
}

/**
 * Tries a rule set on records. It may take as long as the patterns in it like: never where others wait.
 * @throws TruecountError `invalid_rule_set`, `invalid_argument` where the answer would be too long
 */
export function runTrials({
  rules,
  records,
  answerBytesMax,
}: TrialOrder): Static<typeof TrialsDocument> {
  const ruleSet = 'stored' in rules ? rules.stored : inlineRuleSet(rules.inline);
  const run = new TrialRun(ruleSet);
  const trials: Static<typeof TrialDocument>[] = [];
  let left = answerBytesMax;
  for (const [i, record] of records.entries()) {
    const document = trialDocument(run.take(record, i + 1));
    left -= sizeUpTo(document, left + 1);
    if (left < 0) throw tooMuch(i + 1, answerBytesMax);
    trials.push(document);
  }
  return { rule_set: hashRuleSet(ruleSet), trials };
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
