import { canonicalJson, sha256Hex } from './canonical-json.js';
import type { JsonValue } from './canonical-json.js';
import { normalCondition, normalScore, normalSteps } from './normal.js';
import type { RuleSet, Source, Value } from './rule-set.js';

/** What the parts of a rule set mean, as hashes: two rule sets are compared by them. */
export interface Definitions {
  /** By the name of the dimension. */
  readonly dimensions: ReadonlyMap<string, string>;
  /** By the name of the value. */
  readonly values: ReadonlyMap<string, string>;
  /** One per filter, in their order. */
  readonly each: readonly string[];
  /** Of all filters together. */
  readonly filters: string;
}

/**
 * Hashes each dimension, and the filters, over everything that they are made of: two that are equal
 * mean the same, whatever their rule sets call the values in between.
 */
export function definitionsOf(ruleSet: RuleSet): Definitions {
  const { tables = {}, values = [], filters = [], dimensions } = ruleSet;
  const known = new Map<string, string>();
  const hashOf = (json: unknown): string => sha256Hex(canonicalJson(json as JsonValue));
  const take = ({ name, ...value }: Value): void => {
    known.set(name, hashOf({ ...named(value, known), ...normalSteps(value, tables) }));
  };
  values.forEach(take);
  dimensions.forEach(take);
  const meant = filters.map((filter) =>
    'cap' in filter
      ? filter
      : {
          ...filter,
          when: filter.when.map((one) =>
            normalCondition('value' in one ? { ...one, value: known.get(one.value)! } : one),
          ),
        },
  );
  const hashes = (all: readonly Value[]) =>
    new Map(all.map(({ name }) => [name, known.get(name)!]));
  return {
    dimensions: hashes(dimensions),
    values: hashes(values),
    each: meant.map(hashOf),
    filters: hashOf(meant),
  };
}

/** The source of a value, with hashes in the place of names. */
function named(value: Source, known: ReadonlyMap<string, string>): object {
  const of = (name: string): string => known.get(name)!;
  if ('field' in value) return { field: value.field };
  if ('value' in value) return { value: of(value.value) };
  if ('first' in value) return { first: value.first.map(of) };
  if ('cross' in value) return { cross: value.cross.map(of) };
  const score = normalScore(value.score);
  return { score: { ...score, terms: score.terms.map((t) => ({ ...t, value: of(t.value) })) } };
}
