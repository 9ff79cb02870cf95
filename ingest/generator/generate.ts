import { SHAPES, TIME_STYLES, TimeText, clickLine, eventIdOf } from './click-text.js';
import type { Draft } from './click-text.js';
import { MALFORMED } from './malformed.js';
import { AD_COUNT, createAdPicker, createAds, createDimensions } from './population.js';
import { RecordRandom, WeightedIndex } from './random.js';
import { Truth } from './truth.js';

const HOUR_MS = 3_600_000;

export interface GenerateOptions {
  /** Lines to generate, duplicates and malformed ones included. */
  readonly clicks: number;
  /** An integer in [0, 2^53). Equal options give equal bytes, on every machine. */
  readonly seed: number;
  /** Start of the first hour, epoch ms on a full hour. Default DEFAULT_FROM_MS. */
  readonly fromMs?: number;
  /** Event hours that the load spans. Default 3. */
  readonly hours?: number;
  /** Share of the clicks that go to the hottest ad, 0 to 1. Default 0.2. */
  readonly hotShare?: number;
  /** The truth counts country `UK` as `GB`, as the default rule set does. Default false. */
  readonly mapUk?: boolean;
  /** False: count no truth, for loads whose truth nobody reads. Default true. */
  readonly withTruth?: boolean;
}

/**
 * 2025-11-21T08:00Z: fixed, since the load must not depend on a clock, and past, since the log
 * quarantines clicks that are ahead of its own time.
 */
export const DEFAULT_FROM_MS = Date.UTC(2025, 10, 21, 8);

/** A line without its line end, and the ad id to key it by on the log. */
export interface GeneratedRecord {
  readonly line: string | Buffer;
  readonly key: string;
}

/** Can be read several times; each time gives the same lines and counts the truth anew. */
export interface GeneratedLoad extends Iterable<GeneratedRecord> {
  /** Complete once the load has been read to its end. */
  readonly truth: Truth;
}

/** What a line is, by the first ten random bits of its number: upper bounds of 1024. */
const KIND_BELOW = {
  malformed: 6,
  /** byte for byte the same line, up to NEAR lines later */
  nearRetry: 22,
  /** the same, from anywhere before */
  farRetry: 32,
  /** the same id, ad and hour, but another minute and device: the first in the log wins */
  changedRetry: 40,
  /** the same id and ad in another hour: another click, the first time */
  otherHour: 42,
  /** the same id and hour for another ad: another click, the first time */
  otherAd: 43,
} as const;
type Kind = keyof typeof KIND_BELOW | 'fresh';

const NEAR = 300;

/**
 * A deterministic load of clicks in log order, of any size in constant memory (the truth apart).
 * Ads are Zipf behind one hot ad; time runs through the hours with clicks out of order by seconds
 * (mostly), minutes (6 %) and up to hours (1 %); about 3 % are retries.
 * @throws RangeError for options out of range.
 */
export function generateClicks(options: GenerateOptions): GeneratedLoad {
  return new Load(options);
}

class Load implements GeneratedLoad {
  readonly truth: Truth;
  private readonly clicks: number;
  private readonly seed: number;
  private readonly fromMs: number;
  private readonly hours: number;
  private readonly counting: boolean;
  private readonly ads = createAds();
  private readonly dimensions;
  private readonly adPicker: WeightedIndex;
  private readonly malformedPicker = new WeightedIndex(
    MALFORMED.map(({ weight }) => weight),
    10,
  );
  private readonly time: TimeText;
  private readonly random: RecordRandom;
  /** Clicks that were repeated in another hour or for another ad already. */
  private readonly moved = new Set<string>();
  private readonly draft: Draft;
  private ad = 0;
  private eventMs = 0;
  private shape = 0;

  constructor(options: GenerateOptions) {
    this.clicks = inRange('clicks', options.clicks, 0, Number.MAX_SAFE_INTEGER);
    this.seed = inRange('seed', options.seed, 0, Number.MAX_SAFE_INTEGER);
    this.hours = inRange('hours', options.hours ?? 3, 1, 24 * 366);
    this.fromMs = options.fromMs ?? DEFAULT_FROM_MS;
    if (this.fromMs % HOUR_MS !== 0) throw new RangeError('fromMs must be on a full hour');
    const hotShare = options.hotShare ?? 0.2;
    if (!(hotShare >= 0 && hotShare <= 1)) throw new RangeError('hotShare must be from 0 to 1');
    this.counting = options.withTruth ?? true;
    this.dimensions = createDimensions(options.mapUk ?? false);
    this.adPicker = createAdPicker(hotShare);
    this.time = new TimeText(this.fromMs, this.hours);
    this.random = new RecordRandom(this.seed);
    this.truth = new Truth(this.ads, this.dimensions, this.fromMs, this.hours * 60);
    this.draft = {
      eventId: '',
      ad: this.ads[0]!,
      time: '',
      user: 0,
      ip: 0,
      occurrences: new Uint16Array(this.dimensions.length),
    };
  }

  *[Symbol.iterator](): Generator<GeneratedRecord> {
    this.truth.reset();
    this.moved.clear();
    for (let n = 0; n < this.clicks; n += 1) yield this.record(n);
  }

  private record(n: number): GeneratedRecord {
    switch (this.kindOf(n)) {
      case 'fresh':
        return this.fresh(n);
      case 'malformed':
        return this.malformed(n);
      case 'nearRetry':
        return this.exactRetry(n - 1 - this.random.below(Math.min(n, NEAR)));
      case 'farRetry':
        return this.exactRetry(this.random.below(n));
      case 'changedRetry':
        return this.changedRetry(n);
      case 'otherHour':
        return this.otherHour(n);
      case 'otherAd':
        return this.otherAd(n);
    }
  }

  /** Starts the random sequence of line `n` and takes its kind from it. */
  private kindOf(n: number): Kind {
    this.random.reset(n);
    const draw = this.random.next() >>> 22;
    if (n === 0 || draw >= KIND_BELOW.otherAd) return 'fresh';
    if (draw < KIND_BELOW.malformed) return 'malformed';
    if (draw < KIND_BELOW.nearRetry) return 'nearRetry';
    if (draw < KIND_BELOW.farRetry) return 'farRetry';
    if (draw < KIND_BELOW.changedRetry) return 'changedRetry';
    if (draw < KIND_BELOW.otherHour) return 'otherHour';
    return 'otherAd';
  }

  /** The last fresh line at or before `n`. Line 0 is fresh. */
  private freshAtOrBefore(n: number): number {
    let candidate = n;
    while (this.kindOf(candidate) !== 'fresh') candidate -= 1;
    return candidate;
  }

  /** Fills the draft with fresh click `n`; the same again whenever it is asked for. */
  private compose(n: number): void {
    const { random, draft } = this;
    this.kindOf(n);
    this.ad = this.adPicker.pick(random);
    this.eventMs = this.eventTime(n);
    draft.eventId = eventIdOf(this.seed, n);
    draft.ad = this.ads[this.ad]!;
    draft.user = random.below(50_000);
    draft.ip = random.next();
    this.dimensions.forEach(({ picker }, d) => (draft.occurrences[d] = picker.pick(random)));
    const style = random.next() >>> 24;
    draft.time = this.time.json(
      this.eventMs,
      style < 118 ? 0 : style < 236 ? 1 : style % TIME_STYLES,
    );
    const shape = random.next() >>> 25;
    this.shape = shape < SHAPES ? shape : 0;
  }

  /** How far into the span of the load line `n` is. */
  private nominalMs(n: number): number {
    return Math.floor((n / this.clicks) * this.hours * HOUR_MS);
  }

  private eventTime(n: number): number {
    const spanMs = this.hours * HOUR_MS;
    const nominalMs = this.nominalMs(n);
    const draw = this.random.next() >>> 22;
    const delayBound = draw < 10 ? spanMs : draw < 72 ? 10 * 60_000 : 3_000;
    const delayed = nominalMs - this.random.below(delayBound);
    return this.fromMs + (delayed >= 0 ? delayed : nominalMs);
  }

  private fresh(n: number): GeneratedRecord {
    this.compose(n);
    return this.counted();
  }

  private exactRetry(near: number): GeneratedRecord {
    this.compose(this.freshAtOrBefore(near));
    if (this.counting) this.truth.duplicate();
    return this.written();
  }

  private changedRetry(n: number): GeneratedRecord {
    const draw = this.random.next();
    const device = this.dimensions[1]!.picker.pick(this.random);
    const shape = this.random.below(SHAPES);
    this.compose(this.freshAtOrBefore(this.random.below(n)));
    this.moveTo(Math.floor((this.eventMs - this.fromMs) / HOUR_MS), draw, n);
    this.draft.occurrences[1] = device;
    this.shape = shape;
    if (this.counting) this.truth.duplicate();
    return this.written();
  }

  /** The same id in another hour that has begun by line `n`; while there is none, a retry. */
  private otherHour(n: number): GeneratedRecord {
    const begun = Math.floor(this.nominalMs(n) / HOUR_MS);
    if (begun === 0) return this.changedRetry(n);
    const pick = this.random.below(begun);
    const draw = this.random.next();
    const original = this.freshAtOrBefore(this.random.below(n));
    this.compose(original);
    const own = Math.floor((this.eventMs - this.fromMs) / HOUR_MS);
    const hour = pick < own ? pick : pick + 1;
    this.moveTo(hour, draw, n);
    return this.countedOnce(`${original} hour ${hour}`);
  }

  private otherAd(n: number): GeneratedRecord {
    const step = 1 + this.random.below(AD_COUNT - 1);
    const original = this.freshAtOrBefore(this.random.below(n));
    this.compose(original);
    this.ad = (this.ad + step) % AD_COUNT;
    this.draft.ad = this.ads[this.ad]!;
    return this.countedOnce(`${original} ad ${this.ad}`);
  }

  /** Moves the click to some time of an hour, never ahead of where the load is at line `n`. */
  private moveTo(hour: number, draw: number, n: number): void {
    const begunMs = Math.min(HOUR_MS, Math.max(1, this.nominalMs(n) - hour * HOUR_MS));
    this.eventMs = this.fromMs + hour * HOUR_MS + ((draw >>> 0) % begunMs);
    this.draft.time = this.time.json(this.eventMs, 1);
  }

  private countedOnce(identity: string): GeneratedRecord {
    if (!this.moved.has(identity)) {
      this.moved.add(identity);
      return this.counted();
    }
    if (this.counting) this.truth.duplicate();
    return this.written();
  }

  private counted(): GeneratedRecord {
    if (this.counting) this.truth.click(this.ad, this.eventMs, this.draft.occurrences);
    return this.written();
  }

  private written(): GeneratedRecord {
    const line = clickLine(this.draft, this.dimensions, this.shape);
    return { line, key: this.draft.ad.id };
  }

  private malformed(n: number): GeneratedRecord {
    const { reason, line } = MALFORMED[this.malformedPicker.pick(this.random)]!;
    this.compose(n);
    if (this.counting) this.truth.reject(reason);
    const { eventId, ad } = this.draft;
    return { line: line({ eventId, adJson: ad.json, eventMs: this.eventMs }), key: ad.id };
  }
}

function inRange(name: string, value: number, min: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw new RangeError(`${name} must be an integer from ${min} to ${max}, got ${value}`);
}
