/** What the watermark needs to know of one partition of the log. Times are epoch ms. */
export interface PartitionProgress {
  /** Greatest event time read, clamped to append time (`advanceEventMs`); null: no click yet. */
  readonly maxEventMs: number | null;
  /** Whether a worker that is alive holds it. */
  readonly owned: boolean;
  /** Since when its owner has read it to its end; null while it lags or was never read. */
  readonly atEndSinceMs: number | null;
}

export interface WatermarkOptions {
  /** How far event times may step back without being taken for complete, ms. */
  readonly outOfOrdernessMs: number;
  /** Read to its end for this long, a partition no longer holds the others back, ms. */
  readonly idleTimeoutMs: number;
  readonly nowMs: number;
}

/**
 * The greatest event time of a partition after one more click. The click's time counts at most as
 * its append time: one click with a clock ahead must not close minutes for all others.
 */
export function advanceEventMs(
  maxEventMs: number | null,
  eventMs: number,
  appendMs: number,
): number {
  const clamped = Math.min(eventMs, appendMs);
  return maxEventMs === null ? clamped : Math.max(maxEventMs, clamped);
}

/**
 * Bounded out-of-orderness: no click with an event time below the result is expected any more. So a
 * minute `[from, to)` is complete when `to <= watermark`. null: nothing is known.
 */
export function partitionWatermark(
  maxEventMs: number | null,
  outOfOrdernessMs: number,
): number | null {
  return maxEventMs === null ? null : maxEventMs - outOfOrdernessMs;
}

/** Idle: owned, and read to its end for the idle timeout. Then, and only then, it holds nobody. */
export function isIdle(partition: PartitionProgress, options: WatermarkOptions): boolean {
  const { owned, atEndSinceMs } = partition;
  return owned && atEndSinceMs !== null && options.nowMs - atEndSinceMs >= options.idleTimeoutMs;
}

/**
 * The watermark of the whole log: the least of its partitions', those that are idle left out. One
 * that is unowned, lags or was never read holds it back; without any click yet it holds it at null.
 * Where all are idle, it is the greatest of them: nothing below is on its way (Flink's
 * StatusWatermarkValve does the same). null: no partition, or nothing known of one that counts.
 *
 * A partition that wakes up may bring it down again; who shows it keeps the greatest seen.
 */
export function globalWatermark(
  partitions: readonly PartitionProgress[],
  options: WatermarkOptions,
): number | null {
  const active = partitions.filter((partition) => !isIdle(partition, options));
  if (active.length === 0) return greatest(partitions, options.outOfOrdernessMs);
  let least = Number.POSITIVE_INFINITY;
  for (const partition of active) {
    const own = partitionWatermark(partition.maxEventMs, options.outOfOrdernessMs);
    if (own === null) return null;
    least = Math.min(least, own);
  }
  return least;
}

function greatest(
  partitions: readonly PartitionProgress[],
  outOfOrdernessMs: number,
): number | null {
  let most: number | null = null;
  for (const { maxEventMs } of partitions) {
    const own = partitionWatermark(maxEventMs, outOfOrdernessMs);
    if (own !== null && (most === null || own > most)) most = own;
  }
  return most;
}
