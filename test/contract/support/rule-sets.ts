import fc from 'fast-check';
import { parseRuleSet } from '../../../core/rules/parse.js';
import { AD_FIELD } from '../../../core/rules/rule-set.js';
import type { Filter, Lookup, RuleSet, Source, Steps } from '../../../core/rules/rule-set.js';
import type { Table, Test, Value } from '../../../core/rules/rule-set.js';
import { isDimensionValue } from '../../../core/rules/filter.js';
import { keyId } from '../../../core/rules/table.js';
import { ADDRESSES, ADS, AGENTS, BLOCKS, FIELDS, PATTERNS, USERS, WORDS } from './vocabulary.js';

/** Whatever is chosen among things that are not known yet: the n-th of them, round and round. */
const pick = fc.nat(999);
const of = <T>(all: readonly T[], n: number): T => all[n % all.length]!;

/** Texts that values can have. */
const TEXTS = [...WORDS, ...AGENTS, ...ADDRESSES, ...USERS].filter(isDimensionValue);
const word = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...WORDS.filter(isDimensionValue)) },
  { weight: 1, arbitrary: fc.constantFrom(...TEXTS) },
);
const name = fc.constantFrom('x', 'y', 'z', 'unknown', 'other', 'US');

/** Without those that are another one in another writing: a table takes none twice. */
const DIFFERENT_BLOCKS = BLOCKS.filter(
  (block, i) => BLOCKS.findIndex((one) => keyId('ip', one) === keyId('ip', block)) === i,
);

const tables: fc.Arbitrary<Readonly<Record<string, Table>>> = fc.record({
  words: table('text', [...TEXTS, ...ADS]),
  nets: table('ip', DIFFERENT_BLOCKS),
});

const SAID = ['x', 'US', '', 'y', 'unknown', 'z', 'other', 'ß'];

function table(key: Table['key'], keys: readonly string[]): fc.Arbitrary<Table> {
  return fc
    .record({ chosen: fc.shuffledSubarray([...new Set(keys)]), by: fc.tuple(pick, pick) })
    .map(({ chosen, by }) => ({
      key,
      columns: ['kind', 'where'],
      rows: chosen.map((one, i) => [one, ...by.map((n) => of(SAID, n * (i + 1) + i))]),
    }));
}

const lookup: fc.Arbitrary<Lookup> = fc.record({
  table: fc.constantFrom('words', 'nets'),
  column: fc.constantFrom('kind', 'where'),
});

const steps: fc.Arbitrary<Partial<Steps>> = fc.record(
  {
    trim: fc.constant(true as const),
    case: fc.constantFrom('lower' as const, 'upper' as const),
    unknown: fc.uniqueArray(word, { minLength: 1, maxLength: 3 }),
    map: fc
      .array(fc.tuple(word, fc.oneof(word, name)), { maxLength: 4 })
      .map((entries) => Object.fromEntries(entries)),
    lookup,
    match: fc.array(fc.record({ pattern: fc.constantFrom(...PATTERNS), as: name }), {
      minLength: 1,
      maxLength: 3,
    }),
    maxBytes: fc.constantFrom(1, 2, 4, 255, 256),
  },
  { requiredKeys: [] },
);

/** Most values have few steps: after a lookup and a match nothing is left to tell apart. */
const fewSteps = fc
  .tuple(steps, fc.shuffledSubarray(['trim', 'case', 'unknown', 'map', 'maxBytes'] as const))
  .chain(([all, kept]) =>
    fc.constantFrom(true, true, true, false).map((few): Partial<Steps> => {
      if (!few) return all;
      const entries = Object.entries(all).filter(([key]) => (kept as string[]).includes(key));
      return Object.fromEntries(entries);
    }),
  );

const weight = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(1e12, -1e12));
const score = fc.record({
  bias: weight,
  terms: fc.array(
    fc.record({
      part: pick,
      weights: fc
        .array(fc.tuple(fc.oneof(word, name), weight), { maxLength: 4 })
        .map((entries) => Object.fromEntries(entries)),
      otherwise: weight,
    }),
    { minLength: 1, maxLength: 3 },
  ),
  levels: fc.uniqueArray(fc.record({ atLeast: weight, as: name }), {
    selector: (level) => level.atLeast,
    maxLength: 3,
  }),
  otherwise: name,
});

/** A value but for its name, and the names of those before it, which `made` puts in. */
const seed = fc.record({
  kind: fc.constantFrom('field', 'field', 'field', 'value', 'first', 'cross', 'score'),
  field: fc.constantFrom(...FIELDS, AD_FIELD),
  parts: fc.tuple(pick, pick, pick),
  two: fc.boolean(),
  score,
  steps: fewSteps,
  /** For an ad, which has to be looked up. */
  lookup,
});
type Seed = typeof seed extends fc.Arbitrary<infer T> ? T : never;

function made(newName: string, from: Seed, before: readonly string[]): Value {
  const source = sourceOf(from, before);
  const needed =
    'field' in source && source.field === AD_FIELD && from.steps.lookup === undefined
      ? { lookup: from.lookup }
      : {};
  return { name: newName, ...source, ...from.steps, ...needed };
}

function sourceOf(from: Seed, before: readonly string[]): Source {
  if (from.kind === 'field' || before.length === 0) return { field: from.field };
  const parts = from.parts.slice(0, from.two ? 2 : 3).map((n) => of(before, n));
  if (from.kind === 'value') return { value: parts[0]! };
  if (from.kind === 'first') return { first: parts };
  if (from.kind === 'cross') return { cross: parts };
  const terms = from.score.terms.map(({ part, ...term }) => ({ value: of(before, part), ...term }));
  const levels = [...from.score.levels].sort((a, b) => b.atLeast - a.atLeast);
  return { score: { ...from.score, terms, levels } };
}

const test: fc.Arbitrary<Test> = fc.oneof(
  fc.record({ in: fc.uniqueArray(fc.oneof(word, name), { minLength: 1, maxLength: 4 }) }),
  fc.record({ matches: fc.constantFrom(...PATTERNS) }),
  fc.record({ within: fc.shuffledSubarray(BLOCKS, { minLength: 1, maxLength: 3 }) }),
  fc.constant({ missing: true as const }),
);
const condition = fc.record({
  field: fc.constantFrom(...FIELDS, 'ip', 'ip', 'user_agent', AD_FIELD),
  value: pick,
  ofField: fc.boolean(),
  test,
});
const reason = fc.constantFrom('bot', 'often', 'constructor', 'nowhere');
const filter = fc.record({
  reason,
  when: fc.oneof(
    { weight: 3, arbitrary: condition.map((one) => [one]) },
    { weight: 1, arbitrary: fc.tuple(condition, condition) },
  ),
  cap: fc.record({
    field: fc.constantFrom('user_id', 'user_id', 'user_agent', 'ip', 'campaign'),
    max: fc.constantFrom(1, 1, 2, 3),
  }),
  isCap: fc.constantFrom(false, false, true),
});

function filterOf(from: FilterSeed, names: readonly string[]): Filter {
  if (from.isCap) return { reason: from.reason, cap: from.cap };
  const conditions = from.when.map(({ field, value, ofField, test: holds }) =>
    ofField || names.length === 0 ? { field, ...holds } : { value: of(names, value), ...holds },
  );
  return { reason: from.reason, when: conditions };
}
type FilterSeed = typeof filter extends fc.Arbitrary<infer T> ? T : never;

/** Names that mean something to objects are as good as others. */
const VALUE_NAMES = ['v0', 'constructor', 'v2'];
const DIMENSION_NAMES = ['d0', 'valueof', 'd2', 'd3'];

/** Any rule set that is not refused: all kinds of sources, steps, tables, conditions and caps. */
export const ruleSets: fc.Arbitrary<RuleSet> = fc
  .record({
    tables,
    values: fc.array(seed, { maxLength: VALUE_NAMES.length, size: 'max' }),
    dimensions: fc.array(seed, { maxLength: DIMENSION_NAMES.length, size: 'max' }),
    filters: fc.array(filter, { maxLength: 4, size: 'max' }),
  })
  .map(({ tables: all, values: valueSeeds, dimensions: dimensionSeeds, filters }) => {
    const names: string[] = [];
    const take = (newName: string, from: Seed): Value => {
      const value = made(newName, from, names);
      names.push(newName);
      return value;
    };
    const values = valueSeeds.map((from, i) => take(VALUE_NAMES[i]!, from));
    const dimensions = dimensionSeeds.map((from, i) => take(DIMENSION_NAMES[i]!, from));
    return parseRuleSet({
      version: 1,
      tables: all,
      values,
      dimensions,
      filters: filters.map((one) => filterOf(one, names)),
    });
  });
