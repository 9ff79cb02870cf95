import { invalid, listAt, objectAt } from './json-shape.js';
import { filterAt } from './parse-filter.js';
import { tablesAt } from './parse-table.js';
import { valueAt } from './parse-value.js';
import { PatternBudget } from './pattern-budget.js';
import { DIMENSIONS_MAX, FILTERS_MAX, VALUES_MAX } from './rule-set.js';
import type { Lookup, RuleSet, Table, Value } from './rule-set.js';
import { checkSize } from './size.js';

/** Steps from the fields to a value, counted along every way: what one click may cost. */
const COST_MAX = 1_000;

/**
 * Reads a rule set from JSON text.
 * @throws TruecountError invalid_rule_set, with the place (`dimensions[1].map`) and the reason
 */
export function parseRuleSetJson(text: string): RuleSet {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid('the rule set', 'is not JSON', cause);
  }
  return parseRuleSet(value);
}

/**
 * Checks a parsed JSON value and returns it as a rule set, without anything unknown in it.
 * @throws TruecountError invalid_rule_set, with the place and the reason
 */
export function parseRuleSet(json: unknown): RuleSet {
  const known = ['version', 'tables', 'values', 'filters', 'dimensions'];
  const root = objectAt('the rule set', json, known);
  if (root['version'] !== 1) throw invalid('version', 'must be 1');
  const { tables, values, filters } = root;
  const bounds = { max: DIMENSIONS_MAX };
  const patterns = new PatternBudget();
  const value = (at: string, json: unknown) => valueAt(at, json, patterns);
  const filter = (at: string, json: unknown) => filterAt(at, json, patterns);
  const ruleSet: RuleSet = {
    version: 1,
    ...(tables === undefined ? {} : { tables: tablesAt('tables', tables) }),
    ...(values === undefined
      ? {}
      : { values: listAt('values', values, value, { max: VALUES_MAX }) }),
    ...(filters === undefined
      ? {}
      : { filters: listAt('filters', filters, filter, { max: FILTERS_MAX }) }),
    dimensions: listAt('dimensions', root['dimensions'], value, bounds),
  };
  checkNames(ruleSet, patterns);
  checkSize(ruleSet);
  return ruleSet;
}

/** A value as those know it that it is a part of. */
interface Known {
  readonly place: string;
  /** Steps to it from the fields. */
  readonly cost: number;
  /** Size of the patterns on the way. */
  readonly patterns: number;
}

/** Names are unique, and stand for something that comes before; a click is cheap. */
function checkNames(
  { tables = {}, values = [], filters = [], dimensions }: RuleSet,
  budget: PatternBudget,
): void {
  const known = new Map<string, Known>();
  const find = (place: string, name: string): Known => {
    const found = known.get(name);
    if (found === undefined) throw invalid(place, `names ${name}, which is no value before it`);
    return found;
  };
  const take = (place: string, value: Value): number => {
    const before = known.get(value.name);
    if (before !== undefined) {
      throw invalid(`${place}.name`, `repeats ${JSON.stringify(value.name)} of ${before.place}`);
    }
    const { lookup } = value;
    if (lookup !== undefined) checkLookup(`${place}.lookup`, lookup, tables);
    const parts = partsOf(place, value).map(([at, name]) => find(at, name));
    const cost = parts.reduce((sum, part) => sum + part.cost, 1);
    const patterns = parts.reduce((sum, part) => sum + part.patterns, budget.ofValue(value));
    if (cost > COST_MAX) {
      throw invalid(place, `is made of more than ${String(COST_MAX)} steps: cross or score fewer`);
    }
    known.set(value.name, { place, cost, patterns });
    return patterns;
  };
  values.forEach((value, i) => {
    take(`values[${String(i)}]`, value);
  });
  dimensions.forEach((dimension, i) => {
    const place = `dimensions[${String(i)}]`;
    budget.use(place, take(place, dimension));
  });
  filters.forEach((filter, i) => {
    if (!('when' in filter)) return;
    filter.when.forEach((condition, c) => {
      const place = `filters[${String(i)}].when[${String(c)}]`;
      const of = 'field' in condition ? 0 : find(`${place}.value`, condition.value).patterns;
      budget.use(place, of + budget.ofCondition(condition));
    });
  });
}

function checkLookup(
  place: string,
  { table, column }: Lookup,
  tables: Readonly<Record<string, Table>>,
): void {
  if (!Object.hasOwn(tables, table)) {
    throw invalid(`${place}.table`, `names ${table}, which is not in tables`);
  }
  const { columns } = tables[table]!;
  if (!columns.includes(column)) {
    throw invalid(`${place}.column`, `names ${column}; ${table} has ${columns.join(', ')}`);
  }
}

/** Names of the values that a value is made of, each with its place. */
function partsOf(place: string, value: Value): (readonly [string, string])[] {
  if ('field' in value) return [];
  if ('value' in value) return [[`${place}.value`, value.value]];
  const list = (kind: string, names: readonly string[]) =>
    names.map((name, i) => [`${place}.${kind}[${String(i)}]`, name] as const);
  if ('first' in value) return list('first', value.first);
  if ('cross' in value) return list('cross', value.cross);
  return value.score.terms.map(
    (term, i) => [`${place}.score.terms[${String(i)}].value`, term.value] as const,
  );
}
