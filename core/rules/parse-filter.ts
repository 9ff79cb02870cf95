import { kindOf, listAt, objectAt, trueAt, wholeAt } from './json-shape.js';
import { blockAt, fieldAt, fieldButAdAt, nameAt, patternAt, textAt } from './parse-texts.js';
import type { PatternBudget } from './pattern-budget.js';
import type { Condition, Filter, Test } from './rule-set.js';

const CONDITIONS_MAX = 16;
const CAP_MAX = 1_000_000;
const TESTS = ['in', 'matches', 'within', 'missing'] as const;

/** A filter by its shape alone; whether its names stand for something is not asked. */
export function filterAt(place: string, json: unknown, budget: PatternBudget): Filter {
  const object = objectAt(place, json, ['reason', 'when', 'cap']);
  const reason = nameAt(`${place}.reason`, object['reason']);
  if (kindOf(place, object, ['when', 'cap']) === 'when') {
    const bounds = { min: 1, max: CONDITIONS_MAX };
    const one = (at: string, condition: unknown) => conditionAt(at, condition, budget);
    return { reason, when: listAt(`${place}.when`, object['when'], one, bounds) };
  }
  const { field, max } = objectAt(`${place}.cap`, object['cap'], ['field', 'max']);
  return {
    reason,
    cap: {
      field: fieldButAdAt(`${place}.cap.field`, field),
      max: wholeAt(`${place}.cap.max`, max, 1, CAP_MAX),
    },
  };
}

function conditionAt(place: string, json: unknown, budget: PatternBudget): Condition {
  const object = objectAt(place, json, ['field', 'value', ...TESTS]);
  const test = testAt(place, object, budget);
  return kindOf(place, object, ['field', 'value']) === 'field'
    ? { field: fieldAt(`${place}.field`, object['field']), ...test }
    : { value: nameAt(`${place}.value`, object['value']), ...test };
}

function testAt(
  place: string,
  object: Readonly<Record<string, unknown>>,
  budget: PatternBudget,
): Test {
  const kind = kindOf(place, object, TESTS);
  const at = `${place}.${kind}`;
  const json = object[kind];
  switch (kind) {
    case 'in':
      return { in: listAt(at, json, textAt, { min: 1 }) };
    case 'matches':
      return { matches: patternAt(at, json, budget) };
    case 'within':
      return { within: listAt(at, json, blockAt, { min: 1 }) };
    case 'missing':
      return { missing: trueAt(at, json) };
  }
}
