import { CLICK_LIMITS } from '../click/click.js';
import { fitsUtf8 } from '../text.js';
import { compilePattern } from './pattern.js';
import { BlockIndex, parseAddress, parseBlock } from './ip.js';
import type { Condition, Score, Steps, Table } from './rule-set.js';
import { finderOf } from './table.js';
import { ABSENT, OTHER, countedAs, isText } from './value-text.js';

/** Of a value's text another one: see value-text. */
export type TextFunction = (text: string) => string;

/** One step of a value. */
export interface Step {
  readonly name: keyof Steps;
  readonly of: TextFunction;
}

/** The steps of a value, in their order. `tables` has those that the rule set names. */
export function stepsOf(steps: Steps, tables: Readonly<Record<string, Table>>): readonly Step[] {
  const each: Step[] = [];
  if (steps.trim === true) each.push({ name: 'trim', of: (text) => text.trim() });
  if (steps.case === 'lower') each.push({ name: 'case', of: (text) => text.toLowerCase() });
  if (steps.case === 'upper') each.push({ name: 'case', of: (text) => text.toUpperCase() });
  if (steps.unknown !== undefined) each.push({ name: 'unknown', of: unknownStep(steps.unknown) });
  if (steps.map !== undefined) each.push({ name: 'map', of: mapStep(steps.map) });
  if (steps.lookup !== undefined) {
    each.push({ name: 'lookup', of: lookupStep(steps.lookup, tables) });
  }
  if (steps.match !== undefined) each.push({ name: 'match', of: matchStep(steps.match) });
  const maxBytes = steps.maxBytes ?? CLICK_LIMITS.dimensionBytesMax;
  return [...each, { name: 'maxBytes', of: lengthStep(maxBytes) }];
}

/** A text after a step. Absent and other stay what they are. */
export function afterStep(step: Step, text: string): string {
  return isText(text) ? step.of(text) : text;
}

function unknownStep(texts: readonly string[]): TextFunction {
  const known = new Set(texts);
  return (text) => (known.has(text) ? ABSENT : text);
}

function mapStep(map: Readonly<Record<string, string>>): TextFunction {
  const entries = new Map(Object.entries(map));
  return (text) => entries.get(text) ?? text;
}

function lookupStep(
  { table, column }: NonNullable<Steps['lookup']>,
  tables: Readonly<Record<string, Table>>,
): TextFunction {
  const find = finderOf(tables[table]!, column);
  return (text) => find(text) ?? ABSENT;
}

function matchStep(patterns: NonNullable<Steps['match']>): TextFunction {
  const compiled = patterns.map(({ pattern, as }) => ({ found: compilePattern(pattern), as }));
  return (text) => compiled.find(({ found }) => found(text))?.as ?? ABSENT;
}

function lengthStep(maxBytes: number): TextFunction {
  return (text) => (fitsUtf8(text, maxBytes) ? text : OTHER);
}

/** Whether a condition holds of a text. */
export function testOf(condition: Condition): (text: string) => boolean {
  if ('in' in condition) {
    const texts = new Set(condition.in);
    return (text) => texts.has(countedAs(text));
  }
  if ('matches' in condition) {
    const found = compilePattern(condition.matches);
    return (text) => isText(text) && found(text);
  }
  if ('within' in condition) {
    const index = new BlockIndex(condition.within.map((block) => [parseBlock(block)!, true]));
    return (text) => {
      const address = isText(text) ? parseAddress(text) : null;
      return address !== null && index.find(address) === true;
    };
  }
  return (text) => text === ABSENT;
}

/** The level of a sum of weights. `texts` are those of the terms' values. */
export function scoreOf(score: Score): (texts: readonly string[]) => string {
  const weights = weightsOf(score);
  return (texts) => {
    const sum = weights(texts).reduce((a, b) => a + b, score.bias ?? 0);
    return score.levels.find(({ atLeast }) => sum >= atLeast)?.as ?? score.otherwise;
  };
}

/**
 * What each term of a score adds, in whole numbers: the caps on weights and terms keep every sum of
 * them exact in a double.
 */
export function weightsOf(score: Score): (texts: readonly string[]) => readonly number[] {
  const terms = score.terms.map(({ weights, otherwise }) => ({
    weights: new Map(Object.entries(weights)),
    otherwise: otherwise ?? 0,
  }));
  return (texts) =>
    terms.map(({ weights, otherwise }, i) => weights.get(countedAs(texts[i]!)) ?? otherwise);
}
