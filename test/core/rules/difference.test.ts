import fc from 'fast-check';
import { expect, test } from 'vitest';
import { differenceBetween } from '../../../core/rules/difference.js';
import { parseRuleSet } from '../../../core/rules/parse.js';
import { ruleSets } from '../../contract/support/rule-sets.js';

const between = (before: object, after: object) =>
  differenceBetween(
    parseRuleSet({ version: 1, dimensions: [], ...before }),
    parseRuleSet({ version: 1, dimensions: [], ...after }),
  );

test('a rule set and itself are equal; what one way is added is removed the other way', () => {
  fc.assert(
    fc.property(ruleSets, ruleSets, (one, other) => {
      const same = differenceBetween(one, structuredClone(one));
      expect(same).toMatchObject({ equal: true, sameMeaning: true, dimensions: [], filters: [] });
      expect([same.values, same.tables, same.filtersMoved]).toEqual([[], [], false]);
      const there = differenceBetween(one, other);
      const back = differenceBetween(other, one);
      for (const part of ['dimensions', 'filters', 'values', 'tables'] as const) {
        const names = (of: typeof there, change: string) =>
          of[part].filter((found) => found.change === change).map(({ name }) => name);
        expect(names(there, 'added').sort()).toEqual(names(back, 'removed').sort());
        expect(names(there, 'rewritten').sort()).toEqual(names(back, 'rewritten').sort());
      }
      expect(there.sameMeaning).toBe(back.sameMeaning);
    }),
    { numRuns: 200 },
  );
});

test('the entry of a map that came is the one member that changed', () => {
  const before = { dimensions: [{ name: 'country', field: 'country', map: { a: 'b' } }] };
  const after = { dimensions: [{ name: 'country', field: 'country', map: { a: 'b', UK: 'GB' } }] };
  expect(between(before, after)).toMatchObject({
    sameMeaning: false,
    dimensions: [
      { name: 'country', change: 'changed', members: [{ place: 'map["UK"]', after: 'GB' }] },
    ],
  });
});

test('a value in between that got another name changes no meaning', () => {
  const named = (name: string) => ({
    values: [{ name, field: 'country', case: 'upper' }],
    filters: [{ reason: 'x', when: [{ value: name, in: ['XX'] }] }],
    dimensions: [{ name: 'country', value: name }],
  });
  expect(between(named('raw'), named('upper'))).toMatchObject({
    equal: false,
    sameMeaning: true,
    dimensions: [
      {
        ...{ name: 'country', change: 'rewritten' },
        members: [{ place: 'value', before: 'raw', after: 'upper' }],
      },
    ],
    filters: [{ name: 'x', change: 'rewritten' }],
    values: [
      { name: 'raw', change: 'removed' },
      { name: 'upper', change: 'added' },
    ],
  });
});

test('a dimension changes by the rows of the table that it is looked up in', () => {
  const campaigns = (...rows: string[][]) => ({
    tables: { campaigns: { key: 'text', columns: ['campaign'], rows } },
    dimensions: [
      { name: 'campaign', field: 'ad_id', lookup: { table: 'campaigns', column: 'campaign' } },
    ],
  });
  const found = between(
    campaigns(['a', 'one'], ['b', 'one'], ['c', 'two']),
    campaigns(['c', 'two'], ['a', 'other'], ['d', 'new']),
  );
  expect(found.dimensions).toEqual([{ name: 'campaign', change: 'changed', members: [] }]);
  expect(found.tables).toEqual([
    {
      ...{ name: 'campaigns', change: 'changed' },
      rows: {
        ...{ before: 3, after: 3 },
        added: [['d', 'new']],
        removed: [['b', 'one']],
        changed: [{ before: ['a', 'one'], after: ['a', 'other'] }],
      },
    },
  ]);
});

test('filters of one reason are compared in turn, and their order counts', () => {
  const when = (field: string) => ({ reason: 'bot', when: [{ field, missing: true }] });
  const cap = { reason: 'often', cap: { field: 'user', max: 3 } };
  const last = { reason: 'last', when: [{ field: 'z', missing: true }] };
  const changed = between(
    { filters: [when('a'), when('b'), cap] },
    { filters: [when('a'), when('c'), { ...cap, cap: { field: 'user', max: 4 } }] },
  );
  expect(changed.filters).toEqual([
    {
      ...{ name: 'bot', change: 'changed' },
      members: [{ place: 'when[0].field', before: 'b', after: 'c' }],
    },
    {
      ...{ name: 'often', change: 'changed' },
      members: [{ place: 'cap.max', before: 3, after: 4 }],
    },
  ]);
  expect(changed.filtersMoved).toBe(false);
  const moved = between({ filters: [when('a'), last] }, { filters: [last, when('a')] });
  expect(moved).toMatchObject({ filters: [], filtersMoved: true, sameMeaning: false });
});

test.each([
  ['map: {}', { map: {} }, {}],
  ['maxBytes: 256', { maxBytes: 256 }, {}],
  ['unknown in another order', { unknown: ['a', 'b'] }, { unknown: ['b', 'a'] }],
])('a default written out, or texts in no order, mean the same: %s', (_, one, other) => {
  const of = (steps: object) => ({ dimensions: [{ name: 'd', field: 'f', ...steps }] });
  expect(between(of(one), of(other))).toMatchObject({
    ...{ equal: false, sameMeaning: true },
    dimensions: [{ name: 'd', change: 'rewritten' }],
  });
  expect(between(of(one), of({ ...other, trim: true })).sameMeaning).toBe(false);
  expect(between(of({ maxBytes: 255 }), of({})).sameMeaning).toBe(false);
});

test('weights of 0 written out mean the same, others do not', () => {
  const of = (bias: object, otherwise: object) => ({
    values: [{ name: 'v', field: 'f' }],
    dimensions: [
      {
        name: 'd',
        score: {
          ...bias,
          terms: [{ value: 'v', weights: { a: 1 }, ...otherwise }],
          ...{ levels: [{ atLeast: 1, as: 'x' }], otherwise: 'y' },
        },
      },
    ],
  });
  expect(between(of({ bias: 0 }, {}), of({}, { otherwise: 0 })).sameMeaning).toBe(true);
  expect(between(of({ bias: 1 }, {}), of({}, {})).sameMeaning).toBe(false);
  expect(between(of({}, { otherwise: 1 }), of({}, {})).sameMeaning).toBe(false);
});

test('a condition means the same with its texts or blocks in another order or writing', () => {
  const of = (condition: object) => ({
    filters: [{ reason: 'r', when: [{ field: 'ip', ...condition }] }],
  });
  const same = (one: object, other: object) => between(of(one), of(other));
  expect(same({ in: ['a', 'b'] }, { in: ['b', 'a', 'b'] })).toMatchObject({
    ...{ sameMeaning: true, filtersMoved: false },
    filters: [{ name: 'r', change: 'rewritten' }],
  });
  const blocks = ['10.0.0.0/8', '::1'];
  expect(same({ within: blocks }, { within: ['0:0::1/128', '::ffff:10.0.0.0/104'] })).toMatchObject(
    { sameMeaning: true },
  );
  expect(same({ within: blocks }, { within: ['::1', '10.0.0.0/9'] }).sameMeaning).toBe(false);
  expect(same({ in: ['a'] }, { in: ['a', 'b'] }).sameMeaning).toBe(false);
});

test.each(['text', 'ip'])('of a table only keys and the column read count, by %s', (key) => {
  const of = (columns: string[], ...rows: string[][]) => ({
    tables: { t: { key, columns, rows } },
    dimensions: [{ name: 'd', field: 'f', lookup: { table: 't', column: 'kind' } }],
  });
  const before = of(['kind', 'place'], ['::1', 'a', 'x'], ['::2', 'b', 'y']);
  const moved = between(before, of(['kind', 'place'], ['::2', 'b', 'y'], ['::1', 'a', 'x']));
  expect(moved).toMatchObject({ equal: false, sameMeaning: true, dimensions: [], tables: [] });
  const unread = between(before, of(['kind', 'place'], ['::1', 'a', 'z'], ['::2', 'b', 'y']));
  expect(unread).toMatchObject({ sameMeaning: true, tables: [{ name: 't', change: 'changed' }] });
  const columns = between(before, of(['other', 'kind'], ['::1', 'x', 'a'], ['::2', 'y', 'b']));
  expect(columns.sameMeaning).toBe(true);
  const read = between(before, of(['kind', 'place'], ['::1', 'c', 'x'], ['::2', 'b', 'y']));
  expect(read).toMatchObject({ sameMeaning: false, dimensions: [{ name: 'd' }] });
});

test('a block written otherwise is the same key', () => {
  const of = (block: string) => ({
    tables: { t: { key: 'ip', columns: ['kind'], rows: [[block, 'a']] } },
    dimensions: [{ name: 'd', field: 'ip', lookup: { table: 't', column: 'kind' } }],
  });
  const found = between(of('10.0.0.0/8'), of('::ffff:10.0.0.0/104'));
  expect(found).toMatchObject({ equal: false, sameMeaning: true, dimensions: [], tables: [] });
});
