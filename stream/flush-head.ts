import type { FlushHead } from '../store/flush.js';
import type { Counter } from './counter.js';
import type { PartitionState } from './partition-state.js';

/** What a flush of `moved` asks Postgres before it may write: fences, hours to lock, states. */
export function flushHead(counter: Counter, moved: ReadonlySet<PartitionState>): FlushHead {
  return {
    moves: [...moved]
      .sort((a, b) => a.slot - b.slot)
      .map((state) => ({
        slot: state.slot,
        epoch: state.epoch,
        oldOffset: state.committedOffset,
        newOffset: state.position,
        rebuildFrom: state.rebuildFrom(),
        maxEventMs: Number.isFinite(state.maxEventMs) ? state.maxEventMs : null,
        logEndOffset: state.logEndOffset,
        atEnd: state.atEnd,
      })),
    countedHours: counter.buffer.countedHours(moved),
    askedHours: counter.buffer.hours(),
  };
}
