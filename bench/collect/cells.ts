import { ADS } from './clicks.js';

/** The filters that every click of the load has, and the total. */
const FILTERS = ['', 'country:US', 'device:mobile', 'format:text'];

type Cells = ReadonlyMap<string, number>;

/**
 * The cells of the clicks that are on the log, each click once: ad n of the load has the clicks n,
 * n + ADS, n + 2 ADS and so on. All clicks have one time, so that an ad has one minute.
 */
export function cellsOf(copies: Uint16Array): Cells {
  const cells = new Map<string, number>();
  copies.forEach((times, n) => {
    if (times === 0) return;
    for (const filter of FILTERS) {
      const key = `ad-${String(n % ADS)} ${filter}`;
      cells.set(key, (cells.get(key) ?? 0) + 1);
    }
  });
  return cells;
}

/** How many cells are not the same, missing and too many included. */
export function different(expected: Cells, counted: Cells): number {
  const keys = new Set([...expected.keys(), ...counted.keys()]);
  return [...keys].filter((key) => expected.get(key) !== counted.get(key)).length;
}
