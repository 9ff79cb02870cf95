import { expect, test } from 'vitest';
import { definitionsOf } from '../../../core/rules/definitions.js';
import type { Filter, RuleSet, Table, Value } from '../../../core/rules/rule-set.js';

const geo = (...rows: (readonly string[])[]): Table => ({ key: 'text', columns: ['place'], rows });

interface Parts {
  readonly names?: readonly [place: string, odds: string];
  readonly rows?: Table;
  readonly place?: object;
  readonly filters?: readonly Filter[];
}

/** Every kind of source, under names that may be others. */
function ruleSet(parts: Parts = {}): RuleSet {
  const { names: [place, odds] = ['place', 'odds'], rows = geo(['u', 'A']), filters } = parts;
  const levels = [{ atLeast: 2, as: 'high' }];
  const values: Value[] = [
    {
      name: place,
      field: 'user',
      ...{ trim: true, lookup: { table: 'geo', column: 'place' } },
      ...parts.place,
    },
    {
      name: odds,
      score: { terms: [{ value: place, weights: { A: 2 } }], levels, otherwise: 'low' },
    },
  ];
  return {
    ...{ version: 1, tables: { geo: rows }, values },
    filters: filters ?? [
      { reason: 'odd', when: [{ value: odds, in: ['high'] }] },
      { reason: 'again', cap: { field: 'user', max: 3 } },
    ],
    dimensions: [
      { name: 'where', value: place },
      { name: 'any', first: [place, odds] },
      { name: 'both', cross: [place, odds], case: 'lower' },
      { name: 'level', value: odds },
      { name: 'device', field: 'device' },
    ],
  };
}

const OF = definitionsOf(ruleSet());

/** Names of the dimensions that mean something else, and `filters` if these do. */
function changed(parts: Parts): string[] {
  const { dimensions, filters } = definitionsOf(ruleSet(parts));
  const names = [...dimensions].filter(([name, hash]) => hash !== OF.dimensions.get(name));
  return [...names.map(([name]) => name), ...(filters === OF.filters ? [] : ['filters'])];
}

test('other names of values and no other meaning: nothing changes', () => {
  expect(changed({})).toEqual([]);
  expect(changed({ names: ['a', 'b'] })).toEqual([]);
});

test('another table changes all that is made of it, and nothing else', () => {
  const all = ['where', 'any', 'both', 'level', 'filters'];
  expect(changed({ rows: geo(['u', 'B']) })).toEqual(all);
  expect(changed({ rows: geo(['u', 'A'], ['v', 'B']) })).toEqual(all);
});

test('another step changes all that is made of the value', () => {
  const all = ['where', 'any', 'both', 'level', 'filters'];
  expect(changed({ place: { case: 'lower' } })).toEqual(all);
  expect(changed({ place: { field: 'ip' } })).toEqual(all);
});

test.each<[string, readonly Filter[]]>([
  ['none', []],
  ['another order', [...(ruleSet().filters ?? [])].reverse()],
  ['another reason', [{ reason: 'x', when: [{ value: 'odds', in: ['high'] }] }]],
  [
    'another bound of a cap',
    [ruleSet().filters![0]!, { reason: 'again', cap: { field: 'user', max: 2 } }],
  ],
])('other filters change no dimension: %s', (_, filters) => {
  expect(changed({ filters })).toEqual(['filters']);
});

test('each dimension has a definition of its own', () => {
  const { dimensions } = definitionsOf(ruleSet());
  expect(new Set(dimensions.values()).size).toBe(5);
});
