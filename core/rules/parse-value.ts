import { CLICK_LIMITS } from '../click/click.js';
import { entriesAt, invalid, kindOf, listAt, membersAt, objectAt } from './json-shape.js';
import { oneOfAt, trueAt, wholeAt } from './json-shape.js';
import { fieldAt, nameAt, patternAt, textAt } from './parse-texts.js';
import type { PatternBudget } from './pattern-budget.js';
import { AD_FIELD } from './rule-set.js';
import type { Lookup, NamedPattern, Score, ScoreLevel, Source, Steps, Value } from './rule-set.js';

/** Values that one value is made of. */
const PARTS_MAX = 16;
/** Keeps every sum of PARTS_MAX weights and the bias exact in a double. */
const WEIGHT_MAX = 1e12;

const SOURCES = ['field', 'value', 'first', 'cross', 'score'] as const;
const STEPS = ['trim', 'case', 'unknown', 'map', 'lookup', 'match', 'maxBytes'] as const;

/** A value or dimension by its shape alone; whether its names stand for something is not asked. */
export function valueAt(place: string, json: unknown, budget: PatternBudget): Value {
  const object = objectAt(place, json, ['name', ...SOURCES, ...STEPS]);
  const name = nameAt(`${place}.name`, object['name']);
  const source = sourceAt(place, object);
  const steps: Partial<Steps> = membersAt<Steps>(place, object, {
    trim: trueAt,
    case: (at, value) => oneOfAt<'lower' | 'upper'>(at, value, ['lower', 'upper']),
    unknown: (at, value) => listAt(at, value, textAt, { min: 1 }),
    map: (at, value) => entriesAt(at, value, mappedAt),
    lookup: lookupAt,
    match: (at, value) => listAt(at, value, namedPatternAt(budget), { min: 1, max: 100 }),
    maxBytes: (at, value) => wholeAt(at, value, 1, CLICK_LIMITS.dimensionBytesMax),
  });
  if ('field' in source && source.field === AD_FIELD && steps.lookup === undefined) {
    throw invalid(`${place}.field`, `is ${AD_FIELD}, which needs a lookup: each cell has its ad`);
  }
  return { name, ...source, ...steps };
}

function sourceAt(place: string, object: Readonly<Record<string, unknown>>): Source {
  const kind = kindOf(place, object, SOURCES);
  const at = `${place}.${kind}`;
  const json = object[kind];
  switch (kind) {
    case 'field':
      return { field: fieldAt(at, json) };
    case 'value':
      return { value: nameAt(at, json) };
    case 'first':
      return { first: listAt(at, json, nameAt, { min: 1, max: PARTS_MAX }) };
    case 'cross':
      return { cross: listAt(at, json, nameAt, { min: 2, max: PARTS_MAX }) };
    case 'score':
      return { score: scoreAt(at, json) };
  }
}

function mappedAt(place: string, from: string, to: unknown): string {
  textAt(`${place} as a key`, from);
  return textAt(place, to);
}

function lookupAt(place: string, json: unknown): Lookup {
  const { table, column } = objectAt(place, json, ['table', 'column']);
  return { table: nameAt(`${place}.table`, table), column: nameAt(`${place}.column`, column) };
}

function namedPatternAt(budget: PatternBudget): (place: string, json: unknown) => NamedPattern {
  return (place, json) => {
    const { pattern, as } = objectAt(place, json, ['pattern', 'as']);
    return {
      pattern: patternAt(`${place}.pattern`, pattern, budget),
      as: textAt(`${place}.as`, as),
    };
  };
}

function weightAt(place: string, json: unknown): number {
  return wholeAt(place, json, -WEIGHT_MAX, WEIGHT_MAX);
}

function scoreAt(place: string, json: unknown): Score {
  const object = objectAt(place, json, ['bias', 'terms', 'levels', 'otherwise']);
  const terms = listAt(`${place}.terms`, object['terms'], termAt, { min: 1, max: PARTS_MAX });
  const levels = listAt(`${place}.levels`, object['levels'], levelAt, { max: PARTS_MAX });
  levels.forEach(({ atLeast }, i) => {
    if (i > 0 && atLeast >= levels[i - 1]!.atLeast) {
      throw invalid(
        `${place}.levels[${String(i)}].atLeast`,
        'must be below that of the level before',
      );
    }
  });
  const otherwise = textAt(`${place}.otherwise`, object['otherwise']);
  const bias = object['bias'];
  const score = { terms, levels, otherwise };
  return bias === undefined ? score : { ...score, bias: weightAt(`${place}.bias`, bias) };
}

function termAt(place: string, json: unknown): Score['terms'][number] {
  const { value, weights, otherwise } = objectAt(place, json, ['value', 'weights', 'otherwise']);
  const term = {
    value: nameAt(`${place}.value`, value),
    weights: entriesAt(`${place}.weights`, weights, (at, key, weight) => {
      textAt(`${at} as a key`, key);
      return weightAt(at, weight);
    }),
  };
  if (otherwise === undefined) return term;
  return { ...term, otherwise: weightAt(`${place}.otherwise`, otherwise) };
}

function levelAt(place: string, json: unknown): ScoreLevel {
  const { atLeast, as } = objectAt(place, json, ['atLeast', 'as']);
  // The sum of all weights is within this.
  const max = WEIGHT_MAX * (PARTS_MAX + 1);
  return {
    atLeast: wholeAt(`${place}.atLeast`, atLeast, -max, max),
    as: textAt(`${place}.as`, as),
  };
}
