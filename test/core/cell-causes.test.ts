import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FieldValue } from '../../core/click/click.js';
import { causesOf, ruleMoves } from '../../core/cell-causes.js';
import type { MinuteBounds, MovedCell } from '../../core/cell-causes.js';
import { RulesInOrder } from '../../core/rules/in-order.js';
import type { RuleSet } from '../../core/rules/rule-set.js';

const NO_BOUNDS: MinuteBounds = { unread: 0, unarchived: 0, recounted: 0, orphaned: 0 };
const DIMENSIONS: RuleSet['dimensions'] = [
  { name: 'country', field: 'country' },
  { name: 'device', field: 'device' },
];
const PLAIN: RuleSet = { version: 1, dimensions: DIMENSIONS };
const FILTERED: RuleSet = {
  ...PLAIN,
  filters: [
    { reason: 'robot', when: [{ field: 'device', in: ['robot'] }] },
    { reason: 'again', cap: { field: 'user', max: 1 } },
  ],
};
/** A click above one of the caps counts for the other all the same. */
const CAPPED: RuleSet = {
  ...PLAIN,
  filters: [
    { reason: 'user', cap: { field: 'user', max: 1 } },
    { reason: 'place', cap: { field: 'country', max: 2 } },
  ],
};

interface TestClick {
  readonly country: string;
  readonly device: string;
  readonly user: string;
}

const click: fc.Arbitrary<TestClick> = fc.record({
  country: fc.constantFrom('US', 'GB', 'DE'),
  device: fc.constantFrom('phone', 'tv', 'robot'),
  user: fc.constantFrom('u', 'v', 'w'),
});

/** Counts of one ad and minute by filter, of clicks in log order. */
function count(of: readonly TestClick[], ruleSet: RuleSet): Map<string, number> {
  const rules = new RulesInOrder(ruleSet);
  const counts = new Map<string, number>();
  for (const one of of) {
    const fields = rules.fields.map((name): FieldValue => ({
      kind: 'value',
      text: one[name as keyof TestClick],
    }));
    const { reason, filters } = rules.judge({ adId: 'a', eventId: '', eventMs: 0, fields }, 't/0');
    if (reason !== null) continue;
    for (const filter of filters) counts.set(filter, (counts.get(filter) ?? 0) + 1);
  }
  return counts;
}

function moved(
  base: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
  late: ReadonlyMap<string, number> = new Map(),
): MovedCell[] {
  return [...new Set([...base.keys(), ...now.keys()])].flatMap((filter) => {
    const cell = { filter, base: base.get(filter) ?? 0, now: now.get(filter) ?? 0 };
    return cell.base === cell.now ? [] : [{ ...cell, late: late.get(filter) ?? 0 }];
  });
}

describe('rule sets whose filters differ', () => {
  test.each([
    ['begins to filter', PLAIN, FILTERED],
    ['stops filtering', FILTERED, PLAIN],
    ['has other caps', FILTERED, CAPPED],
  ])('one that %s moves any cell, and the total, either way', (_, before, after) => {
    fc.assert(
      fc.property(fc.array(click, { maxLength: 12 }), (clicks) => {
        const cells = moved(count(clicks, before), count(clicks, after));
        const causes = causesOf(cells, 0, NO_BOUNDS, ruleMoves(before, after, true));
        expect(causes).toEqual(cells.map(() => 'rule_version'));
      }),
    );
  });

  test('do not excuse a dimension that does not follow the total', () => {
    const cells = [
      { filter: '', base: 4, now: 2, late: 0 },
      { filter: 'country:US', base: 4, now: 1, late: 0 },
      { filter: 'device:tv', base: 4, now: 2, late: 0 },
    ];
    const causes = causesOf(cells, 0, NO_BOUNDS, ruleMoves(PLAIN, FILTERED, true));
    expect(causes).toEqual(['rule_version', 'unknown', 'rule_version']);
  });

  test('filters of one meaning are no cause of anything', () => {
    const named = (name: string): RuleSet => ({
      ...PLAIN,
      values: [{ name, field: 'device', case: 'lower' }],
      filters: [{ reason: 'robot', when: [{ value: name, in: ['robot'] }] }],
    });
    const moves = ruleMoves(named('one'), named('two'), true);
    expect(moves.filtersDiffer).toBe(false);
    const cells = [
      { filter: '', base: 4, now: 2, late: 0 },
      { filter: 'country:US', base: 4, now: 2, late: 0 },
      { filter: 'device:tv', base: 4, now: 2, late: 0 },
    ];
    expect(causesOf(cells, 0, NO_BOUNDS, moves)).toEqual(['unknown', 'unknown', 'unknown']);
  });
});

describe('dimensions', () => {
  const lookup = (place: string, value = 'found'): RuleSet => ({
    version: 1,
    tables: { geo: { key: 'text', columns: ['place'], rows: [['u', place]] } },
    values: [{ name: value, field: 'user', lookup: { table: 'geo', column: 'place' } }],
    dimensions: [{ name: 'place', first: [value] }, ...DIMENSIONS],
  });
  const cells = [
    { filter: 'place:A', base: 3, now: 0, late: 0 },
    { filter: 'place:B', base: 0, now: 3, late: 0 },
  ];
  const causes = (before: RuleSet, after: RuleSet): string[] =>
    causesOf(cells, 0, NO_BOUNDS, ruleMoves(before, after, true));

  test('one that is looked up in a changed table may move any value', () => {
    expect(causes(lookup('A'), lookup('B'))).toEqual(['rule_version', 'rule_version']);
    const other = cells.map((cell) => ({
      ...cell,
      filter: cell.filter.replace('place', 'device'),
    }));
    const moves = ruleMoves(lookup('A'), lookup('B'), true);
    expect(causesOf(other, 0, NO_BOUNDS, moves)).toEqual(['unknown', 'unknown']);
  });

  test('one of the same meaning under other names moves nothing', () => {
    expect(causes(lookup('A'), lookup('A', 'another'))).toEqual(['unknown', 'unknown']);
  });

  test('a map explains only its own values where nothing else is done to the field', () => {
    const mapped = (steps: object): RuleSet => ({
      version: 1,
      dimensions: [{ name: 'place', field: 'country', ...steps }],
    });
    expect(causes(mapped({}), mapped({ map: { A: 'B' } }))).toEqual([
      'rule_version',
      'rule_version',
    ]);
    expect(causes(mapped({}), mapped({ map: { B: 'A' } }))).toEqual(['unknown', 'unknown']);
    // Upper case is done before the map: what the map leaves alone may move.
    const upper = { case: 'upper', map: { B: 'A' } };
    expect(causes(mapped({}), mapped(upper))).toEqual(['rule_version', 'rule_version']);
  });
});

describe('caps', () => {
  const clicks = fc.array(fc.tuple(click, fc.nat(3)), { maxLength: 14 });

  test.each<[string, 'recounted' | 'unread' | 'unarchived']>([
    ['duplicates that were counted', 'recounted'],
    ['clicks that the stream never read', 'unread'],
    ['clicks that the lake does not have', 'unarchived'],
  ])('%s move cells both ways, since they take the place of others', (_, bound) => {
    fc.assert(
      fc.property(clicks, fc.constantFrom(FILTERED, CAPPED), (marked, rules) => {
        const all = marked.map(([one]) => one);
        const fewer = marked.filter(([, mark]) => mark !== 0).map(([one]) => one);
        const [more, less] = [count(all, rules), count(fewer, rules)];
        const cells = bound === 'unread' ? moved(less, more) : moved(more, less);
        const bounds = { ...NO_BOUNDS, [bound]: all.length - fewer.length };
        const found = causesOf(cells, 0, bounds, ruleMoves(rules, rules, true));
        expect(found).not.toContain('unknown');
      }),
      { numRuns: 500 },
    );
  });

  test('without one, a duplicate that was counted is no cause of more', () => {
    const cells = [
      { filter: 'country:US', base: 1, now: 0, late: 0 },
      { filter: 'country:DE', base: 0, now: 1, late: 0 },
    ];
    const bounds = { ...NO_BOUNDS, recounted: 1 };
    const under = (rules: RuleSet): string[] =>
      causesOf(cells, 0, bounds, ruleMoves(rules, rules, true));
    expect(under(PLAIN)).toEqual(['dedupe_overflow', 'unknown']);
    expect(under(FILTERED)).toEqual(['dedupe_overflow', 'dedupe_overflow']);
  });

  test('late clicks come after all that was counted, and explain what they add', () => {
    fc.assert(
      fc.property(clicks, fc.constantFrom(FILTERED, CAPPED), (marked, rules) => {
        const before = marked.filter(([, mark]) => mark !== 0).map(([one]) => one);
        const late = marked.filter(([, mark]) => mark === 0).map(([one]) => one);
        // They are recorded under their filters, whatever takes them out.
        const recorded = count(late, PLAIN);
        const now = count([...before, ...late], rules);
        const cells = moved(count(before, rules), now, recorded);
        const found = causesOf(cells, late.length, NO_BOUNDS, ruleMoves(rules, rules, true));
        expect(found).toEqual(cells.map(() => 'late'));
      }),
    );
  });
});
