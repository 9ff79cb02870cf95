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
