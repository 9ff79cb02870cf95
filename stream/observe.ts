import type { Logger } from 'pino';
import { memoryOf } from './dedupe-bound.js';
import type { StreamMetrics } from './metrics.js';
import type { PartitionState } from './partition-state.js';

/** Tells metrics and log what a committed flush of `moved` was made of; before it is cleared. */
export function observeFlush(
  metrics: StreamMetrics,
  log: Logger,
  moved: ReadonlySet<PartitionState>,
  owned: readonly PartitionState[],
): void {
  for (const state of moved) {
    const labels = { topic: state.topic, partition: state.partition };
    for (const [fate, n] of Object.entries(state.fates)) metrics.records.inc({ fate }, Number(n));
    metrics.lost.inc(state.fates.lost);
    if (Number.isFinite(state.maxEventMs)) {
      metrics.maxEventSeconds.set(labels, state.maxEventMs / 1000);
    }
    for (const { reason } of state.quarantine) metrics.quarantined.inc({ reason });
    for (const loss of state.losses) log.error(loss, 'offsets of the log were never read');
  }
  const memory = memoryOf(owned);
  metrics.dedupeBytes.set(memory.bytes);
  metrics.dedupeIds.set(memory.ids);
  metrics.rebuilding.set(owned.filter((state) => state.rebuilding).length);
}
