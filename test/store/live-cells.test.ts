import fc from 'fast-check';
import { expect, test } from 'vitest';
import { blocksOf } from '../../store/live-cells.js';
import type { CellRows } from '../../store/live-cells.js';

const HOURS_MS = [0, 3_600_000];
const NONE = { bytes: new Uint8Array(0), starts: new Int32Array(0), ends: new Int32Array(0) };

interface Row {
  readonly hour: number;
  readonly minutes: readonly number[];
}

function cellsOf(rows: readonly Row[]): CellRows {
  const counts = new Int32Array(rows.length * 60);
  rows.forEach(({ minutes }, i) => {
    for (const minute of minutes) counts[i * 60 + minute]!++;
  });
  return {
    rows: rows.length,
    hoursMs: Float64Array.from(rows, ({ hour }) => HOURS_MS[hour]!),
    filters: NONE,
    ads: NONE,
    slots: new Int32Array(rows.length),
    counts,
  };
}

/** Mostly around one minute, as in a flush, with stragglers anywhere. */
const minute = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 30, max: 31 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 59 }) },
);
const row = fc.record({
  hour: fc.integer({ min: 0, max: 1 }),
  minutes: fc.array(minute, { maxLength: 4 }),
});

test('blocks hold every row with a count exactly once, within their minutes', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 200 }), (rows) => {
      const placed = blocksOf(cellsOf(rows)).flatMap(({ from, to, rows: indexes }) => {
        for (const i of indexes) {
          for (const m of rows[i]!.minutes) expect(m >= from && m < to).toBe(true);
        }
        return [...indexes];
      });
      const counted = rows.flatMap(({ minutes }, i) => (minutes.length > 0 ? [i] : []));
      expect(placed.sort((a, b) => a - b)).toEqual(counted);
    }),
  );
});

test('two in a hundred stragglers do not widen the window of the others', () => {
  const rows: Row[] = Array.from({ length: 200 }, (_, i) => ({
    hour: 0,
    minutes: [i < 4 ? 2 : i < 8 ? 57 : 30 + (i % 2)],
  }));
  const blocks = blocksOf(cellsOf(rows)).map(({ from, to, rows: r }) => [from, to, r.length]);
  expect(blocks.sort((a, b) => b[2]! - a[2]!)).toEqual([
    [30, 32, 192],
    [0, 60, 8],
  ]);
});
