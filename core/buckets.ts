import type { TimeRange } from './range.js';
import { MINUTE_STATES } from './state.js';
import type { MinuteState } from './state.js';
import { DAY_MS, HOUR_MS, MINUTE_MS, MINUTES_PER_HOUR } from './time.js';

/** Lengths of the buckets of a series; an hour and a day begin at their UTC start. */
export const GRANULARITIES = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS } as const;

export type Granularity = keyof typeof GRANULARITIES;

/** What is known of one ad and filter in one hour. */
export interface HourOfSeries {
  readonly hourMs: number;
  /** Of the generation that serves it; null: it is live. */
  readonly revision: number | null;
  /** Rows of 60 minute counts, to be added up; none: no clicks. */
  readonly rows: readonly (readonly number[])[];
  /** Late clicks that nobody has examined, by minute 0..59. */
  readonly late: ReadonlyMap<number, number>;
}

/** A part of a series: whole minutes. */
export interface Bucket extends TimeRange {
  readonly count: number;
  /** The weakest of its minutes. */
  readonly state: MinuteState;
  /** The highest of its hours; 0: all of them are live. */
  readonly revision: number;
  readonly latePending: number;
}

/**
 * The buckets of a range, ascending and without a gap: minutes without clicks are there too. The first
 * and the last are shorter where the range begins or ends inside them.
 * @param hours every hour that the range touches, ascending
 * @param watermarkMs null: there is none yet, so what is not final is open
 */
export function bucketsOf(
  { fromMs, toMs }: TimeRange,
  hours: readonly HourOfSeries[],
  watermarkMs: number | null,
  granularity: Granularity,
): Bucket[] {
  const unitMs = GRANULARITIES[granularity];
  const buckets: Bucket[] = [];
  let endMs = fromMs;
  for (const hour of hours) {
    const lastMs = Math.min(toMs, hour.hourMs + HOUR_MS);
    const counts = addUp(hour.rows);
    for (let ms = Math.max(fromMs, hour.hourMs); ms < lastMs; ms += MINUTE_MS) {
      const minute = minuteOf(hour, counts, ms, watermarkMs);
      if (ms < endMs) buckets.push(join(buckets.pop()!, minute));
      else {
        buckets.push(minute);
        endMs = Math.floor(ms / unitMs) * unitMs + unitMs;
      }
    }
  }
  return buckets;
}

/** One bucket of two that follow each other: counts add up, the weaker state, the higher revision. */
export function join(a: Bucket, b: Bucket): Bucket {
  const rank = Math.min(MINUTE_STATES.indexOf(a.state), MINUTE_STATES.indexOf(b.state));
  return {
    fromMs: a.fromMs,
    toMs: b.toMs,
    count: a.count + b.count,
    state: MINUTE_STATES[rank]!,
    revision: Math.max(a.revision, b.revision),
    latePending: a.latePending + b.latePending,
  };
}

function addUp(rows: HourOfSeries['rows']): number[] {
  const sums = new Array<number>(MINUTES_PER_HOUR).fill(0);
  for (const row of rows) {
    for (let minute = 0; minute < MINUTES_PER_HOUR; minute++) sums[minute]! += row[minute]!;
  }
  return sums;
}

function minuteOf(
  { hourMs, revision, late }: HourOfSeries,
  counts: readonly number[],
  ms: number,
  watermarkMs: number | null,
): Bucket {
  const minute = (ms - hourMs) / MINUTE_MS;
  const toMs = ms + MINUTE_MS;
  const complete = watermarkMs !== null && toMs <= watermarkMs;
  return {
    fromMs: ms,
    toMs,
    count: counts[minute]!,
    state: revision !== null ? 'final' : complete ? 'provisional' : 'open',
    revision: revision ?? 0,
    latePending: late.get(minute) ?? 0,
  };
}
