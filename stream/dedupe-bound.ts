import type { CauseRow } from '../store/flush-body.js';
import type { PartitionHour, PartitionState } from './partition-state.js';

/** Beside its ids, an hour costs about this much: its entry, its group, its row of fates. */
const HOUR_BYTES = 2_048;

function bytesOf({ ids, capped }: PartitionHour): number {
  return (ids?.bytes ?? 0) + (capped?.bytes ?? 0) + HOUR_BYTES;
}

/** Ids remembered by all partitions of a worker, and their bytes. */
export function memoryOf(states: Iterable<PartitionState>): { ids: number; bytes: number } {
  let ids = 0;
  let bytes = 0;
  for (const state of states) {
    for (const hour of state.hours.values()) {
      if (hour.ids === null) continue;
      ids += hour.ids.size;
      bytes += bytesOf(hour);
    }
  }
  return { ids, bytes };
}

/**
 * Keeps the dedupe memory within `bytesMax`: while it is over, the oldest hour's ids are given up
 * in all partitions. From then on a retry in that hour counts again; the causes (also returned) are
 * written with the flush that first counts so, and no invariant that needs the memory is claimed
 * for that hour any more (I13 before I1, loudly).
 */
export function giveUpOldestHours(states: Iterable<PartitionState>, bytesMax: number): CauseRow[] {
  const all = [...states];
  let { bytes } = memoryOf(all);
  if (bytes <= bytesMax) return [];
  const held = all.flatMap((state) =>
    [...state.hours.values()].filter((h) => h.ids !== null).map((hour) => ({ state, hour })),
  );
  held.sort((a, b) => a.hour.hourMs - b.hour.hourMs);
  const causes: CauseRow[] = [];
  let last = -Infinity;
  for (const { state, hour } of held) {
    if (bytes <= bytesMax && hour.hourMs !== last) break;
    bytes -= bytesOf(hour);
    last = hour.hourMs;
    causes.push(giveUp(state, hour));
  }
  return causes;
}

function giveUp(state: PartitionState, hour: PartitionHour): CauseRow {
  const { slot, topic, partition, position } = state;
  const ids = hour.ids?.size ?? 0;
  state.overflowed.add(hour.hourMs);
  hour.ids = null;
  hour.capped = null;
  const cause: CauseRow = {
    slot,
    hourMs: hour.hourMs,
    cause: 'dedupe_overflow',
    detail: `${String(ids)} ids given up at offset ${String(position)} of ${topic}/${String(partition)}`,
  };
  state.causes.push(cause);
  return cause;
}
