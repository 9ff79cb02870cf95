import type { CauseRow } from '../store/flush-body.js';
import type { PartitionState } from './partition-state.js';

/** Ids remembered by all partitions of a worker, and their bytes. */
export function memoryOf(states: Iterable<PartitionState>): { ids: number; bytes: number } {
  let ids = 0;
  let bytes = 0;
  for (const state of states) {
    for (const hour of state.hours.values()) {
      if (hour.ids === null) continue;
      ids += hour.ids.size;
      bytes += hour.ids.bytes;
    }
  }
  return { ids, bytes };
}

/**
 * Keeps the dedupe memory within `bytesMax`: while it is over, the oldest hour's ids are given up
 * in all partitions. From then on a retry in that hour counts again; the causes returned are
 * written with the flush that first counts so, and no invariant that needs the memory is claimed
 * for that hour any more (I13 before I1, loudly).
 */
export function giveUpOldestHours(states: Iterable<PartitionState>, bytesMax: number): CauseRow[] {
  const all = [...states];
  const causes: CauseRow[] = [];
  for (let { bytes } = memoryOf(all); bytes > bytesMax; bytes = memoryOf(all).bytes) {
    let oldest = Infinity;
    for (const state of all) {
      for (const hour of state.hours.values()) {
        if (hour.ids !== null && hour.hourMs < oldest) oldest = hour.hourMs;
      }
    }
    for (const state of all) {
      const hour = state.hours.get(oldest);
      if (hour === undefined || hour.ids === null) continue;
      causes.push({
        slot: state.slot,
        hourMs: oldest,
        cause: 'dedupe_overflow',
        detail: `${String(hour.ids.size)} ids given up at offset ${String(state.position)} of ${state.topic}/${String(state.partition)}`,
      });
      state.overflowed.add(oldest);
      hour.ids = null;
    }
  }
  return causes;
}
