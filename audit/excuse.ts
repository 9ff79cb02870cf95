import { capsOf } from '../core/rules/meaning.js';
import type { Snapshot } from './snapshot.js';

/** Causes that let clicks be counted twice, never be missed. */
const COUNTS_TOO_HIGH: readonly string[] = ['dedupe_overflow', 'rebuild_loss'];

/**
 * The named cause of a difference of an hour from the log, if it has one in this partition that allows
 * it. A duplicate that is taken for a click counts once more; where the rule set has caps it also takes
 * the place of a click that comes after it, which is too low then.
 */
export function excuse(
  { hours, ruleSets }: Snapshot,
  hourMs: number,
  slot: number,
  tooHigh: boolean,
): string | null {
  const hour = hours.get(hourMs);
  if (hour === undefined) return null;
  const rules = ruleSets.get(hour.pin);
  const anyWay = tooHigh || (rules !== undefined && capsOf(rules).length > 0);
  const causes = hour.causes.get(slot) ?? [];
  return causes.find((cause) => anyWay || !COUNTS_TOO_HIGH.includes(cause)) ?? null;
}
