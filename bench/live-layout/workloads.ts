/**
 * Three loads as the flushes a stream worker would send. A flush is its distinct cells in key order
 * (hour, filter, ad, minute). Every click adds to the unfiltered total and to one value of each
 * dimension. Deterministic by seed.
 */
export interface Cells {
  readonly clicks: number;
  readonly n: number;
  readonly hour: Float64Array; // epoch ms
  readonly filter: readonly string[];
  readonly ad: readonly string[];
  readonly minute: Int32Array;
  readonly count: Int32Array;
}

export interface Workload {
  readonly name: string;
  /** Flushes of one round; rounds are compared by their medians. */
  readonly flushesPerRound: number;
  flush(index: number): Cells;
}

export interface Shape {
  readonly ads: number;
  readonly dimensions: readonly (readonly string[])[];
  /** Exponent of the Zipf law of ads and of dimension values. */
  readonly skew: number;
}

const FIRST_HOUR = Date.UTC(2026, 10, 21, 0);
const HOUR_MS = 3_600_000;
const name = (prefix: string, k: number) => `${prefix}${String(k).padStart(2, '0')}`;
const values = (prefix: string, n: number) => Array.from({ length: n }, (_, k) => name(prefix, k));

export const ADVERTISING: Shape = {
  ads: 2_000,
  dimensions: [values('country:C', 10), values('device:device', 3), values('format:format', 4)],
  skew: 1,
};
const TALKING_DATA_LIKE: Shape = {
  ads: 160,
  dimensions: [values('device:', 10), values('os:', 40)],
  skew: 1.3,
};

/** Backlog: 500 k clicks over 10 event minutes, 2 % up to 3 min older; three flushes an hour. */
export const catchUp: Workload = {
  name: 'catch-up',
  flushesPerRound: 3,
  flush: (index) =>
    generate(ADVERTISING, 500_000, index, (random) => {
      const first = 3 + (index % 3) * 19; // crosses quarters of an hour now and then
      const back = random() < 0.02 ? Math.floor(random() * 4) : 0;
      return [Math.floor(index / 3), Math.max(0, first + Math.floor(random() * 10) - back)];
    }),
};

/** 20 k clicks a flush into the current minute, a tenth into the last; six flushes a minute. */
export const steady: Workload = {
  name: 'steady',
  flushesPerRound: 6,
  flush: (index) =>
    generate(ADVERTISING, 20_000, index, (random) => {
      const current = Math.floor(index / 6) + 1;
      return [0, random() < 0.1 ? current - 1 : current];
    }),
};

/** 50 k clicks a flush in no order over 72 hours: few clicks per ad and minute. */
export const sparse: Workload = {
  name: 'sparse',
  flushesPerRound: 1,
  flush: (index) =>
    generate(TALKING_DATA_LIKE, 50_000, index, (random) => [
      Math.floor(random() * 72),
      Math.floor(random() * 60),
    ]),
};

type Random = () => number;
type PickTime = (random: Random) => readonly [hour: number, minute: number];

function generate(shape: Shape, clicks: number, seed: number, pickTime: PickTime): Cells {
  const random = mulberry32(seed + 1);
  const ad = zipf(shape.ads, shape.skew);
  const filters = ['', ...shape.dimensions.flat()];
  const pickValue = shape.dimensions.map((d) => zipf(d.length, shape.skew));
  const cells = new Map<number, number>();
  for (let i = 0; i < clicks; i++) {
    const [hour, minute] = pickTime(random);
    const a = ad(random());
    let firstOfDimension = 1;
    add(cells, ((hour * filters.length + 0) * shape.ads + a) * 60 + minute);
    for (let d = 0; d < pickValue.length; d++) {
      const f = firstOfDimension + pickValue[d]!(random());
      add(cells, ((hour * filters.length + f) * shape.ads + a) * 60 + minute);
      firstOfDimension += shape.dimensions[d]!.length;
    }
  }
  return unpack(cells, clicks, filters, shape.ads);
}

function add(cells: Map<number, number>, key: number): void {
  cells.set(key, (cells.get(key) ?? 0) + 1);
}

function unpack(
  cells: Map<number, number>,
  clicks: number,
  filters: readonly string[],
  ads: number,
): Cells {
  const keys = Float64Array.from(cells.keys()).sort();
  const row = keys.map((k) => Math.floor(k / 60));
  return {
    clicks,
    n: keys.length,
    hour: row.map((r) => FIRST_HOUR + Math.floor(r / ads / filters.length) * HOUR_MS),
    filter: Array.from(row, (r) => filters[Math.floor(r / ads) % filters.length]!),
    ad: Array.from(row, (r) => adName(r % ads)),
    minute: Int32Array.from(keys, (k) => k % 60),
    count: Int32Array.from(keys, (k) => cells.get(k)!),
  };
}

export function adName(k: number): string {
  return `ad-${String(k).padStart(6, '0')}`;
}

/** Draws 0..n-1 with probability proportional to 1 / (k + 1) ^ skew. */
function zipf(n: number, skew: number): (u: number) => number {
  const cumulative = new Float64Array(n);
  let sum = 0;
  for (let k = 0; k < n; k++) cumulative[k] = sum += 1 / (k + 1) ** skew;
  return (u) => {
    let low = 0;
    let high = n - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (cumulative[middle]! > u * sum) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

/** mulberry32 by Tommy Ettinger (public domain): small and good enough to shape a load. */
function mulberry32(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
