/** Cells of a flush folded into rows of `length` consecutive minutes, in key order. */
import type { Cells } from './workloads.js';

export interface Rows {
  readonly length: number;
  readonly n: number;
  readonly start: Float64Array; // epoch ms of the row's first minute
  readonly filter: readonly string[];
  readonly ad: readonly string[];
  /** `length` counts per row. */
  readonly counts: Int32Array;
  /** First and last minute touched, within the row. */
  readonly from: Int32Array;
  readonly to: Int32Array;
}

export function foldRows(cells: Cells, length: number): Rows {
  const start: number[] = [];
  const filter: string[] = [];
  const ad: string[] = [];
  const from: number[] = [];
  const to: number[] = [];
  const at = new Int32Array(cells.n);
  for (let chunk = 0; chunk < 60 / length; chunk++) {
    let key = '';
    for (let i = 0; i < cells.n; i++) {
      const minute = cells.minute[i]!;
      if (Math.floor(minute / length) !== chunk) continue;
      const own = `${cells.hour[i]!} ${cells.filter[i]!} ${cells.ad[i]!}`;
      if (own !== key) {
        key = own;
        start.push(cells.hour[i]! + chunk * length * 60_000);
        filter.push(cells.filter[i]!);
        ad.push(cells.ad[i]!);
        from.push(minute % length);
        to.push(minute % length);
      }
      to[to.length - 1] = minute % length;
      at[i] = (start.length - 1) * length + (minute % length);
    }
  }
  const counts = new Int32Array(start.length * length);
  for (let i = 0; i < cells.n; i++) counts[at[i]!]! += cells.count[i]!;
  return {
    length,
    n: start.length,
    start: Float64Array.from(start),
    filter,
    ad,
    counts,
    from: Int32Array.from(from),
    to: Int32Array.from(to),
  };
}

/** The rows with these indexes. */
export function pickRows(rows: Rows, indexes: readonly number[]): Rows {
  const { length } = rows;
  const counts = new Int32Array(indexes.length * length);
  indexes.forEach((i, k) =>
    counts.set(rows.counts.subarray(i * length, (i + 1) * length), k * length),
  );
  return {
    length,
    n: indexes.length,
    start: Float64Array.from(indexes, (i) => rows.start[i]!),
    filter: indexes.map((i) => rows.filter[i]!),
    ad: indexes.map((i) => rows.ad[i]!),
    counts,
    from: Int32Array.from(indexes, (i) => rows.from[i]!),
    to: Int32Array.from(indexes, (i) => rows.to[i]!),
  };
}
