import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Fate, LogRecord } from '../../core/count.js';
import { ReferenceCount, cellKey, countClicks } from '../../core/count.js';
import { parseRuleSet } from '../../core/rules/parse.js';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { HOUR_MS, MINUTE_MS, hourOf } from '../../core/time.js';

const TEN = Date.UTC(2026, 10, 21, 10);
const APPEND_MS = TEN + 3 * HOUR_MS;

interface Fields {
  readonly id?: string;
  readonly ad?: string;
  readonly ms?: number;
  readonly country?: string;
}

function click({ id = 'e1', ad = 'ad1', ms = TEN, country = 'US' }: Fields): Buffer {
  return Buffer.from(JSON.stringify({ event_id: id, ad_id: ad, timestamp: ms, country }));
}

/** A log of one partition, from offset 0. */
function log(values: readonly (Uint8Array | null)[], partition = 0): LogRecord[] {
  return values.map((value, offset) => ({
    topic: 'clicks',
    partition,
    offset,
    appendMs: APPEND_MS,
    value,
  }));
}

const kinds = (fates: readonly Fate[]): string[] => fates.map((fate) => fate.kind);

describe('the reference count', () => {
  test('adds one to the total and to one cell per dimension, in the minute of the event', () => {
    const ms = TEN + 2 * MINUTE_MS - 1;
    const { cells } = countClicks(log([click({ ms, country: 'UK' })]), DEFAULT_RULE_SET);
    const filters = ['', 'country:GB', 'device:unknown', 'format:unknown'];
    expect([...cells.values()]).toEqual(
      filters.map((filter) => ({ adId: 'ad1', minuteMs: TEN + MINUTE_MS, filter, count: 1 })),
    );
    expect(cells.get(cellKey('ad1', TEN + MINUTE_MS, 'country:GB'))?.count).toBe(1);
  });

  test('counts the first of equal clicks, and an equal id of another hour or ad again', () => {
    const { cells, fates } = countClicks(
      log([
        click({ country: 'US' }),
        click({ country: 'DE' }),
        click({ ms: TEN + HOUR_MS - 1 }),
        click({ ms: TEN + HOUR_MS }),
        click({ ad: 'ad2' }),
        click({ id: 'e2' }),
        click({ id: 'e2' }),
      ]),
      DEFAULT_RULE_SET,
    );
    expect(kinds(fates)).toEqual([
      'counted',
      'duplicate',
      'duplicate',
      'counted',
      'counted',
      'counted',
      'duplicate',
    ]);
    expect(cells.get(cellKey('ad1', TEN, ''))?.count).toBe(2);
    expect(cells.get(cellKey('ad1', TEN, 'country:DE'))).toBeUndefined();
    expect(cells.get(cellKey('ad1', TEN + HOUR_MS, ''))?.count).toBe(1);
  });

  test('keeps ids apart whose parts would run together', () => {
    const records = log([click({ ad: 'a', id: 'bc' }), click({ ad: 'ab', id: 'c' })]);
    expect(kinds(countClicks(records, DEFAULT_RULE_SET).fates)).toEqual(['counted', 'counted']);
  });

  test('puts what is no click aside with its reason, and goes on', () => {
    const records = log([null, Buffer.from('{'), click({})]);
    expect(countClicks(records, DEFAULT_RULE_SET).fates).toMatchObject([
      { kind: 'quarantined', reason: 'empty' },
      { kind: 'quarantined', reason: 'not_json' },
      { kind: 'counted' },
    ]);
  });

  test('takes a click at or above the cut of its hour as late, also a duplicate', () => {
    const cuts = new Map([[TEN, new Map([['clicks/0', 2]])]]);
    const values = [
      click({}),
      click({}),
      click({}),
      click({ id: 'e2' }),
      click({ ms: TEN + HOUR_MS }),
    ];
    const { fates, cells } = countClicks(log(values), DEFAULT_RULE_SET, { cuts });
    expect(kinds(fates)).toEqual(['counted', 'duplicate', 'late', 'late', 'counted']);
    expect(cells.get(cellKey('ad1', TEN, ''))?.count).toBe(1);
  });

  test('takes a partition that the cut does not name as cut at 0', () => {
    const cuts = new Map([[TEN, new Map([['clicks/0', 1]])]]);
    const records = [...log([click({})], 1), ...log([click({})], 0)];
    const { fates } = countClicks(records, DEFAULT_RULE_SET, { cuts });
    expect(kinds(fates)).toEqual(['late', 'counted']);
  });

  test('counts each hour by the rule set that it pins', () => {
    const byDevice = parseRuleSet({ version: 1, dimensions: [{ name: 'd', field: 'country' }] });
    const rulesOf = (hourMs: number): typeof byDevice =>
      hourMs === TEN ? byDevice : DEFAULT_RULE_SET;
    const records = log([click({}), click({ ms: TEN + HOUR_MS })]);
    const { cells } = countClicks(records, DEFAULT_RULE_SET, { rulesOf });
    const filters = [...cells.values()].map((cell) => cell.filter);
    expect(filters).toEqual(['', 'd:US', '', 'country:US', 'device:unknown', 'format:unknown']);
  });
});

describe('on any log the reference count', () => {
  const value = fc.oneof(
    {
      weight: 8,
      arbitrary: fc
        .record({
          id: fc.constantFrom('1', '2', '3'),
          ad: fc.constantFrom('a', 'b'),
          ms: fc.integer({ min: TEN, max: TEN + 2 * HOUR_MS }),
          country: fc.constantFrom('US', 'UK', '', 'other', 'x'.repeat(300)),
        })
        .map(click),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }) },
    { weight: 1, arbitrary: fc.constant(null) },
  );
  const values = fc.array(value, { maxLength: 60 });
  const cuts = fc.tuple(fc.nat(60), fc.nat(60)).map(
    ([a, b]) =>
      new Map([
        [TEN, new Map([['clicks/0', a]])],
        [TEN + HOUR_MS, new Map([['clicks/0', b]])],
      ]),
  );

  test('gives each record one fate, and the totals add up to the counted (I3)', () => {
    fc.assert(
      fc.property(values, cuts, (list, cutsOfHours) => {
        const { cells, fates } = countClicks(log(list), DEFAULT_RULE_SET, { cuts: cutsOfHours });
        expect(fates).toHaveLength(list.length);
        const counted = fates.filter((fate) => fate.kind === 'counted').length;
        const totals = [...cells.values()].filter((cell) => cell.filter === '');
        expect(totals.reduce((sum, cell) => sum + cell.count, 0)).toBe(counted);
      }),
    );
  });

  test('has values of each dimension that add up to the total of their minute (I4)', () => {
    fc.assert(
      fc.property(values, (list) => {
        const { cells } = countClicks(log(list), DEFAULT_RULE_SET);
        for (const total of [...cells.values()].filter((cell) => cell.filter === '')) {
          for (const { name } of DEFAULT_RULE_SET.dimensions) {
            const sum = [...cells.values()]
              .filter((cell) => cell.adId === total.adId && cell.minuteMs === total.minuteMs)
              .filter((cell) => cell.filter.startsWith(`${name}:`))
              .reduce((n, cell) => n + cell.count, 0);
            expect(sum).toBe(total.count);
          }
        }
      }),
    );
  });

  test('counts an hour below its cut as if the log had ended there', () => {
    fc.assert(
      fc.property(values, fc.nat(60), (list, at) => {
        const cutAt = new Map([[TEN, new Map([['clicks/0', at]])]]);
        const ofHour = (engine: ReferenceCount): unknown =>
          [...engine.cells.values()].filter((cell) => hourOf(cell.minuteMs) === TEN);
        const cutEngine = new ReferenceCount(DEFAULT_RULE_SET, { cuts: cutAt });
        const shortEngine = new ReferenceCount(DEFAULT_RULE_SET);
        for (const record of log(list)) cutEngine.add(record);
        for (const record of log(list).slice(0, at)) shortEngine.add(record);
        expect(ofHour(cutEngine)).toEqual(ofHour(shortEngine));
      }),
    );
  });
});
