import type { Ad, Dimension } from './population.js';

const MINUTE_MS = 60_000;

/** One true cell; `filter` is '' for the total. */
export interface TrueCell {
  readonly adId: string;
  /** First millisecond of the minute, epoch UTC. */
  readonly minuteMs: number;
  readonly filter: string;
  readonly count: number;
}

export interface TruthSummary {
  /** Lines generated. */
  readonly sent: number;
  /** Distinct clicks: what the totals of all ads and minutes add up to. */
  readonly countable: number;
  readonly duplicates: number;
  /** Lines that are no clicks, by reason. */
  readonly malformed: Readonly<Record<string, number>>;
  readonly cells: number;
}

/**
 * What the load must count to. The generator knows for every line it builds whether it is a new
 * click, so nothing is parsed and no ids are compared here; memory grows with the cells alone.
 * Complete when the load has been read to its end.
 */
export class Truth {
  private counts = new Map<number, number>();
  private malformed = new Map<string, number>();
  private countable = 0;
  private duplicates = 0;
  private readonly filters: readonly string[];
  private readonly filterOf: readonly Int32Array[];

  /** `fromMs`: start of the first hour; `minutes` are numbered from there. */
  constructor(
    private readonly ads: readonly Ad[],
    dimensions: readonly Dimension[],
    private readonly fromMs: number,
    private readonly minutes: number,
  ) {
    const named = dimensions.map(({ name, occurrences }) =>
      occurrences.map(({ counts }) => `${name}:${counts}`),
    );
    this.filters = ['', ...new Set(named.flat())].sort(bytewise);
    this.filterOf = named.map((row) => Int32Array.from(row, (f) => this.filters.indexOf(f)));
  }

  reset(): void {
    this.counts = new Map();
    this.malformed = new Map();
    this.countable = 0;
    this.duplicates = 0;
  }

  /** A new click; `occurrences` is the index of what occurred, per dimension. */
  click(ad: number, eventMs: number, occurrences: Readonly<Uint16Array>): void {
    this.countable += 1;
    const minute = Math.floor((eventMs - this.fromMs) / MINUTE_MS);
    const base = (minute * this.ads.length + ad) * this.filters.length;
    this.add(base);
    for (let d = 0; d < this.filterOf.length; d += 1) {
      this.add(base + this.filterOf[d]![occurrences[d]!]!);
    }
  }

  duplicate(): void {
    this.duplicates += 1;
  }

  reject(reason: string): void {
    this.malformed.set(reason, (this.malformed.get(reason) ?? 0) + 1);
  }

  summary(): TruthSummary {
    const rejected = [...this.malformed.values()].reduce((sum, n) => sum + n, 0);
    return {
      sent: this.countable + this.duplicates + rejected,
      countable: this.countable,
      duplicates: this.duplicates,
      malformed: Object.fromEntries([...this.malformed].sort()),
      cells: this.counts.size,
    };
  }

  /** All cells by (ad id, minute, filter), each bytewise. */
  *cells(): Generator<TrueCell> {
    const { ads, filters, minutes } = this;
    const byId = ads.map((_, ad) => ad).sort((a, b) => bytewise(ads[a]!.id, ads[b]!.id));
    const rank = new Int32Array(ads.length);
    byId.forEach((ad, position) => (rank[ad] = position));
    // The same numbers with the ad's rank in front: a plain numeric sort gives the order.
    const sorted = Float64Array.from(this.counts.keys(), (key) => {
      const adMinute = Math.floor(key / filters.length);
      const minute = Math.floor(adMinute / ads.length);
      return (
        (rank[adMinute % ads.length]! * minutes + minute) * filters.length + (key % filters.length)
      );
    }).sort();
    for (const position of sorted) {
      const filter = position % filters.length;
      const adMinute = Math.floor(position / filters.length);
      const ad = byId[Math.floor(adMinute / minutes)]!;
      const minute = adMinute % minutes;
      yield {
        adId: ads[ad]!.id,
        minuteMs: this.fromMs + minute * MINUTE_MS,
        filter: filters[filter]!,
        count: this.counts.get((minute * ads.length + ad) * filters.length + filter)!,
      };
    }
  }

  private add(key: number): void {
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }
}

/** The order of the UTF-8 bytes. */
function bytewise(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
