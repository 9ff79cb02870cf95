import { RANGE_DAYS_MAX } from '../range.js';
import { DAY_MS, HOUR_MS } from '../time.js';

/** A final hour that is counted by another rule set than the one in force for it. */
export interface StaleHour {
  readonly hourMs: number;
  /** The newest, which the generation that serves it came with. */
  readonly revision: number;
  /** Hash of the rule set that it is counted by. */
  readonly countedBy: string;
  /** Hash of the one in force for it. */
  readonly inForce: string;
  /** Automatic publication keeps off it. */
  readonly held: boolean;
  /** What a replay reads. */
  readonly files: number;
  readonly bytes: number;
  readonly clicks: number;
}

/** Stale hours that follow each other, of the same two rule sets: one replay. */
export interface StaleRange extends Omit<StaleHour, 'hourMs' | 'revision' | 'held'> {
  readonly fromMs: number;
  readonly toMs: number;
  readonly hours: number;
}

const HOURS_MAX = (RANGE_DAYS_MAX * DAY_MS) / HOUR_MS;

/** Hours, ascending, as the fewest ranges that can be replayed: none is longer than a replay may be. */
export function staleRanges(hours: readonly StaleHour[]): StaleRange[] {
  const ranges: StaleRange[] = [];
  for (const { hourMs, countedBy, inForce, files, bytes, clicks } of hours) {
    const last = ranges.at(-1);
    const follows =
      last?.toMs === hourMs &&
      last.countedBy === countedBy &&
      last.inForce === inForce &&
      last.hours < HOURS_MAX;
    const [fromMs, toMs] = [follows ? last.fromMs : hourMs, hourMs + HOUR_MS];
    const before = follows ? last : { hours: 0, files: 0, bytes: 0, clicks: 0 };
    if (follows) ranges.pop();
    ranges.push({
      ...{ fromMs, toMs, hours: before.hours + 1, countedBy, inForce },
      files: before.files + files,
      bytes: before.bytes + bytes,
      clicks: before.clicks + clicks,
    });
  }
  return ranges;
}
