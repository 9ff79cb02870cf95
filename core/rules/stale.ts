import { RANGE_DAYS_MAX } from '../range.js';
import { DAY_MS, HOUR_MS } from '../time.js';

/**
 * By which version an hour is counted, seen from the one in force for it: an `older` one; a `newer` one,
 * by which somebody replayed it before its beginning; or a rule set that no version is: `unlisted`.
 */
export const COUNTED_AGES = ['older', 'newer', 'unlisted'] as const;
export type CountedAge = (typeof COUNTED_AGES)[number];

export function countedAge(countedBy: number | null, inForce: number): CountedAge {
  if (countedBy === null) return 'unlisted';
  return countedBy < inForce ? 'older' : 'newer';
}

/** A final hour that is counted by another rule set than the one in force for it. */
export interface StaleHour {
  readonly hourMs: number;
  /** The newest, which the generation that serves it came with. */
  readonly revision: number;
  /** Hash of the rule set that it is counted by. */
  readonly countedBy: string;
  /**
   * Its version: of those below the one in force the newest that has begun by the hour, else the newest
   * of them; else the newest; null: it was never put.
   */
  readonly countedByVersion: number | null;
  /** Hash of the one in force for it. */
  readonly inForce: string;
  readonly inForceVersion: number;
  readonly age: CountedAge;
  /** Automatic publication keeps off it. */
  readonly held: boolean;
  /** What a replay reads. */
  readonly files: number;
  readonly bytes: number;
  readonly clicks: number;
}

/**
 * Stale hours that follow each other, of the same two rule sets and age: one replay. The versions are
 * those of the first hour: a rule set may be several.
 */
export interface StaleRange extends Omit<StaleHour, 'hourMs' | 'revision' | 'held'> {
  readonly fromMs: number;
  readonly toMs: number;
  readonly hours: number;
}

const HOURS_MAX = (RANGE_DAYS_MAX * DAY_MS) / HOUR_MS;

/** Hours, ascending, as the fewest ranges that can be replayed: none is longer than a replay may be. */
export function staleRanges(hours: readonly StaleHour[]): StaleRange[] {
  const ranges: StaleRange[] = [];
  for (const hour of hours) {
    const { hourMs, files, bytes, clicks } = hour;
    const last = ranges.at(-1);
    const follows =
      last?.toMs === hourMs &&
      last.countedBy === hour.countedBy &&
      last.inForce === hour.inForce &&
      last.age === hour.age &&
      last.hours < HOURS_MAX;
    const { countedBy, countedByVersion, inForce, inForceVersion, age } = follows ? last : hour;
    const [fromMs, toMs] = [follows ? last.fromMs : hourMs, hourMs + HOUR_MS];
    const before = follows ? last : { hours: 0, files: 0, bytes: 0, clicks: 0 };
    if (follows) ranges.pop();
    ranges.push({
      ...{ fromMs, toMs, hours: before.hours + 1 },
      ...{ countedBy, countedByVersion, inForce, inForceVersion, age },
      files: before.files + files,
      bytes: before.bytes + bytes,
      clicks: before.clicks + clicks,
    });
  }
  return ranges;
}
