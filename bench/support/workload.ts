/**
 * The clicks that are counted in a benchmark, and their true cells, computed here and by nothing
 * that is measured: 2,000 ads with weight 1/rank, 10 countries, 3 devices, 4 formats, one event
 * hour, 0.5 % exact duplicates, 2 % late by up to 30 s. Deterministic.
 */
export const ADS = 2_000;
const MINUTES = 60;
const MINUTE_MS = 60_000;
/** Chosen, and long ago: no click is ahead of its append time. */
export const HOUR_MS = Date.UTC(2026, 10, 1, 6);

const COUNTRIES = ['US', 'IN', 'BR', 'DE', 'GB', 'FR', 'JP', 'MX', 'CA', 'AU'];
const DEVICES = ['mobile', 'desktop', 'tablet'];
const FORMATS = ['banner', 'video', 'native', 'text'];
const DUPLICATE_SHARE = 0.005;
const LATE_SHARE = 0.02;
const LATE_MS_MAX = 30_000;
/** A duplicate repeats one of this many clicks before it. */
const RECENT = 65_536;

export interface MadeClick {
  readonly ad: number;
  readonly value: Buffer;
}

/** One true cell. */
export interface Cell {
  readonly adId: string;
  readonly minuteMs: number;
  /** As in the API: `country:US`; empty for the total. */
  readonly filter: string;
  readonly count: number;
}

export class Workload {
  duplicates = 0;
  private readonly random = mulberry32(20261121);
  private readonly recent = new Array<MadeClick>(RECENT);
  private readonly truth = [[''], COUNTRIES, DEVICES, FORMATS].map(
    (values) => new Int32Array(ADS * MINUTES * values.length),
  );

  constructor(readonly size: number) {}

  *clicks(): Generator<MadeClick> {
    const ads = cumulative(Array.from({ length: ADS }, (_, rank) => 1 / (rank + 1)));
    const countries = cumulative([30, 20, 10, 8, 8, 6, 6, 5, 4, 3]);
    const devices = cumulative([65, 28, 7]);
    const formats = cumulative([50, 25, 20, 5]);
    for (let i = 0; i < this.size; i++) {
      if (i > RECENT && this.random() < DUPLICATE_SHARE) {
        this.duplicates++;
        yield (this.recent[i % RECENT] = this.recent[Math.floor(this.random() * RECENT)]!);
        continue;
      }
      const ad = pick(ads, this.random());
      const picks = [countries, devices, formats].map((table) => pick(table, this.random()));
      const eventMs = this.eventMs(i);
      this.note(ad, Math.floor((eventMs - HOUR_MS) / MINUTE_MS), picks);
      yield (this.recent[i % RECENT] = { ad, value: this.value(i, ad, eventMs, picks) });
    }
  }

  /** All cells, once all clicks were made. */
  *cells(): Generator<Cell> {
    const names = [[''], COUNTRIES, DEVICES, FORMATS];
    const dimensions = ['', 'country:', 'device:', 'format:'];
    for (const [d, values] of names.entries()) {
      const counts = this.truth[d]!;
      for (let at = 0; at < counts.length; at++) {
        const count = counts[at]!;
        if (count === 0) continue;
        const value = at % values.length;
        const slot = Math.floor(at / values.length);
        yield {
          adId: adId(Math.floor(slot / MINUTES)),
          minuteMs: HOUR_MS + (slot % MINUTES) * MINUTE_MS,
          filter: dimensions[d]! + values[value]!,
          count,
        };
      }
    }
  }

  private eventMs(i: number): number {
    const steady = HOUR_MS + Math.floor((i * MINUTES * MINUTE_MS) / this.size);
    if (this.random() >= LATE_SHARE) return steady;
    return Math.max(HOUR_MS, steady - Math.floor(this.random() * LATE_MS_MAX));
  }

  private note(ad: number, minute: number, picks: readonly number[]): void {
    const slot = ad * MINUTES + minute;
    this.truth[0]![slot]!++;
    this.truth[1]![slot * COUNTRIES.length + picks[0]!]!++;
    this.truth[2]![slot * DEVICES.length + picks[1]!]!++;
    this.truth[3]![slot * FORMATS.length + picks[2]!]!++;
  }

  private value(i: number, ad: number, eventMs: number, picks: readonly number[]): Buffer {
    const id = (Math.imul(i, 2654435761) >>> 0).toString(16).padStart(8, '0');
    const byte = (): string => String(Math.floor(this.random() * 256));
    return Buffer.from(
      `{"event_id":"${id}","ad_id":"${adId(ad)}","timestamp":${String(eventMs)},` +
        `"user_id":"u${String(Math.floor(this.random() * 200_000))}",` +
        `"ip":"10.${byte()}.${byte()}.${byte()}","country":"${COUNTRIES[picks[0]!]!}",` +
        `"device":"${DEVICES[picks[1]!]!}","ad_format":"${FORMATS[picks[2]!]!}"}`,
    );
  }
}

export function adId(ad: number): string {
  return `ad${String(ad)}`;
}

/** Mulberry32 (Tommy Ettinger, public domain). */
function mulberry32(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function cumulative(weights: readonly number[]): number[] {
  let sum = 0;
  const sums = weights.map((weight) => (sum += weight));
  return sums.map((value) => value / sum);
}

function pick(table: readonly number[], u: number): number {
  let low = 0;
  let high = table.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (table[middle]! > u) high = middle;
    else low = middle + 1;
  }
  return low;
}
