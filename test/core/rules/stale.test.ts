import fc from 'fast-check';
import { expect, test } from 'vitest';
import { COUNTED_AGES, countedAge, staleRanges } from '../../../core/rules/stale.js';
import type { StaleHour } from '../../../core/rules/stale.js';
import { HOUR_MS } from '../../../core/time.js';

const hours: fc.Arbitrary<StaleHour[]> = fc
  .uniqueArray(
    fc.record({
      hourMs: fc.oneof(fc.nat(30), fc.nat(2_000)).map((n) => n * HOUR_MS),
      revision: fc.constant(1),
      countedBy: fc.constantFrom('a', 'b'),
      countedByVersion: fc.constantFrom(1, 2, null),
      inForce: fc.constantFrom('c', 'd'),
      inForceVersion: fc.constant(3),
      age: fc.constantFrom(...COUNTED_AGES),
      held: fc.boolean(),
      files: fc.nat(5),
      bytes: fc.nat(1_000),
      clicks: fc.nat(100),
    }),
    { selector: ({ hourMs }) => hourMs, maxLength: 60 },
  )
  .map((all) => all.sort((a, b) => a.hourMs - b.hourMs));

test('ranges hold each stale hour once, no other hour, and the sums of what they hold', () => {
  fc.assert(
    fc.property(hours, (all) => {
      const ranges = staleRanges(all);
      const held = ranges.flatMap(({ fromMs, toMs, countedBy, inForce, age }) =>
        Array.from({ length: (toMs - fromMs) / HOUR_MS }, (_, i) => ({
          hourMs: fromMs + i * HOUR_MS,
          ...{ countedBy, inForce, age },
        })),
      );
      expect(held).toEqual(
        all.map(({ hourMs, countedBy, inForce, age }) => ({ hourMs, countedBy, inForce, age })),
      );
      for (const of of ['files', 'bytes', 'clicks'] as const) {
        const sum = (list: readonly { readonly [K in typeof of]: number }[]): number =>
          list.reduce((total, one) => total + one[of], 0);
        expect(sum(ranges)).toBe(sum(all));
      }
      for (const [i, range] of ranges.slice(1).entries()) {
        const before = ranges[i]!;
        const of = (one: typeof range) => [one.countedBy, one.inForce, one.age].join();
        const differ = of(before) !== of(range);
        expect(before.toMs < range.fromMs || differ).toBe(true);
      }
    }),
  );
});

test('a range is no longer than a replay may be', () => {
  const hour = {
    ...{ revision: 1, countedBy: 'a', countedByVersion: 1, inForce: 'b', inForceVersion: 2 },
    ...{ age: 'older' as const, held: false },
  };
  const work = { files: 1, bytes: 1, clicks: 1 };
  const long = Array.from({ length: 32 * 24 }, (_, i) => ({
    hourMs: i * HOUR_MS,
    ...hour,
    ...work,
  }));
  expect(staleRanges(long).map((range) => range.hours)).toEqual([31 * 24, 24]);
});

test('a rule set is older or newer than the one in force, or no version at all', () => {
  expect([1, 3, null].map((version) => countedAge(version, 2))).toEqual([
    'older',
    'newer',
    'unlisted',
  ]);
});
