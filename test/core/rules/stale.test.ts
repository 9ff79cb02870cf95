import fc from 'fast-check';
import { expect, test } from 'vitest';
import { staleRanges } from '../../../core/rules/stale.js';
import type { StaleHour } from '../../../core/rules/stale.js';
import { HOUR_MS } from '../../../core/time.js';

const hours: fc.Arbitrary<StaleHour[]> = fc
  .uniqueArray(
    fc.record({
      hourMs: fc.oneof(fc.nat(30), fc.nat(2_000)).map((n) => n * HOUR_MS),
      revision: fc.constant(1),
      countedBy: fc.constantFrom('a', 'b'),
      inForce: fc.constantFrom('c', 'd'),
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
      const held = ranges.flatMap(({ fromMs, toMs, countedBy, inForce }) =>
        Array.from({ length: (toMs - fromMs) / HOUR_MS }, (_, i) => ({
          hourMs: fromMs + i * HOUR_MS,
          ...{ countedBy, inForce },
        })),
      );
      expect(held).toEqual(
        all.map(({ hourMs, countedBy, inForce }) => ({ hourMs, countedBy, inForce })),
      );
      for (const of of ['files', 'bytes', 'clicks'] as const) {
        const sum = (list: readonly { readonly [K in typeof of]: number }[]): number =>
          list.reduce((total, one) => total + one[of], 0);
        expect(sum(ranges)).toBe(sum(all));
      }
      for (const [i, range] of ranges.slice(1).entries()) {
        const before = ranges[i]!;
        const differ = before.countedBy !== range.countedBy || before.inForce !== range.inForce;
        expect(before.toMs < range.fromMs || differ).toBe(true);
      }
    }),
  );
});

test('a range is no longer than a replay may be', () => {
  const hour = { revision: 1, countedBy: 'a', inForce: 'b', held: false };
  const work = { files: 1, bytes: 1, clicks: 1 };
  const long = Array.from({ length: 32 * 24 }, (_, i) => ({
    hourMs: i * HOUR_MS,
    ...hour,
    ...work,
  }));
  expect(staleRanges(long).map((range) => range.hours)).toEqual([31 * 24, 24]);
});
