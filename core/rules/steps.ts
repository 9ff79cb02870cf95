import { CLICK_LIMITS } from '../click/click.js';
import { fitsUtf8 } from '../text.js';
import { compilePattern } from './pattern.js';
import { BlockIndex, parseAddress, parseBlock } from './ip.js';
import type { Condition, Score, Steps, Table } from './rule-set.js';
import { finderOf } from './table.js';
import { ABSENT, OTHER, countedAs, isText } from './value-text.js';

/** Of a value's text another one: see value-text. */
export type TextFunction = (text: string) => string;

/**
 * What the steps of a value do to its text. Absent and other stay what they are.
 * `tables` has those that the rule set names.
 */
export function stepsOf(steps: Steps, tables: Readonly<Record<string, Table>>): TextFunction {
  const each: TextFunction[] = [];
  if (steps.trim === true) each.push((text) => text.trim());
  if (steps.case === 'lower') each.push((text) => text.toLowerCase());
  if (steps.case === 'upper') each.push((text) => text.toUpperCase());
  if (steps.unknown !== undefined) each.push(unknownStep(steps.unknown));
  if (steps.map !== undefined) each.push(mapStep(steps.map));
  if (steps.lookup !== undefined) each.push(lookupStep(steps.lookup, tables));
  if (steps.match !== undefined) each.push(matchStep(steps.match));
  each.push(lengthStep(steps.maxBytes ?? CLICK_LIMITS.dimensionBytesMax));
  return (text) => each.reduce((now, step) => (isText(now) ? step(now) : now), text);
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

/**
 * The level of a sum of weights, in whole numbers: the caps on weights and terms keep every sum
 * exact in a double. `texts` are those of the terms' values.
 */
export function scoreOf(score: Score): (texts: readonly string[]) => string {
  const terms = score.terms.map(({ weights, otherwise }) => ({
    weights: new Map(Object.entries(weights)),
    otherwise: otherwise ?? 0,
  }));
  return (texts) => {
    let sum = score.bias ?? 0;
    terms.forEach(({ weights, otherwise }, i) => {
      sum += weights.get(countedAs(texts[i]!)) ?? otherwise;
    });
    return score.levels.find(({ atLeast }) => sum >= atLeast)?.as ?? score.otherwise;
  };
}
