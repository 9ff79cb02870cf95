/** Scrambles 32 bits; the "lowbias32" finaliser of C. Wellons' hash prospector (public domain). */
export function mix32(value: number): number {
  let z = value | 0;
  z = Math.imul(z ^ (z >>> 16), 0x7feb352d);
  z = Math.imul(z ^ (z >>> 15), 0x846ca68b);
  return (z ^ (z >>> 16)) >>> 0;
}

/**
 * Random numbers that depend on (seed, record number) alone: record `n` can be built again at any
 * time without the records before it. That is what lets the generator repeat a click from far back
 * in the log in constant memory. xoroshiro64** by Blackman and Vigna (public domain).
 */
export class RecordRandom {
  private s0 = 1;
  private s1 = 1;
  private readonly seedLow: number;
  private readonly seedHigh: number;

  constructor(seed: number) {
    this.seedLow = mix32(seed % 2 ** 32);
    this.seedHigh = mix32(Math.floor(seed / 2 ** 32) + 0x9e3779b9);
  }

  /** Start the sequence of record `n`. */
  reset(n: number): void {
    const low = (n % 2 ** 32) | 0;
    this.s0 = mix32(low ^ this.seedLow);
    this.s1 = mix32(Math.imul(low, 0x9e3779b1) + this.seedHigh + Math.floor(n / 2 ** 32)) | 1;
  }

  /** The next unsigned 32 bits. */
  next(): number {
    const s0 = this.s0;
    const s1 = this.s1 ^ s0;
    const product = Math.imul(s0, 0x9e3779bb);
    this.s0 = ((s0 << 26) | (s0 >>> 6)) ^ s1 ^ (s1 << 9);
    this.s1 = (s1 << 13) | (s1 >>> 19);
    return Math.imul((product << 5) | (product >>> 27), 5) >>> 0;
  }

  /** An integer in `[0, bound)`, `bound` up to 2^32. */
  below(bound: number): number {
    return Math.floor((this.next() / 2 ** 32) * bound);
  }
}

/** Draws an index with the given weights in one table look-up; `bits` up to 16. */
export class WeightedIndex {
  private readonly slots: Uint16Array;
  private readonly shift: number;

  constructor(weights: readonly number[], bits: number) {
    const size = 2 ** bits;
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    this.slots = new Uint16Array(size);
    this.shift = 32 - bits;
    let slot = 0;
    let cumulative = 0;
    weights.forEach((weight, index) => {
      cumulative += weight;
      const end = Math.round((cumulative / total) * size);
      if (end > slot) this.slots.fill(index, slot, end);
      slot = end;
    });
  }

  pick(random: RecordRandom): number {
    return this.slots[random.next() >>> this.shift] ?? 0;
  }
}
