import type { PartitionHour } from './partition-state.js';

/** Clicks held at most: their ids' slots fit into a core's first-level cache. */
export const HELD_MAX = 256;

/**
 * Clicks of one partition that are decoded and not yet counted, in log order, as columns. They are
 * held so that the memory of the ids of all of them is loaded before the first is looked up:
 * waiting for it click by click was a sixth of the time (docs/explanation/performance.md).
 */
export class HeldClicks {
  readonly offsets = new Float64Array(HELD_MAX);
  readonly ads = new Int32Array(HELD_MAX);
  readonly minutes = new Uint8Array(HELD_MAX);
  /** Four words of the id each; of no meaning where the hour remembers no ids. */
  readonly words = new Int32Array(HELD_MAX * 4);
  readonly filters: Int32Array;
  readonly hours = new Array<PartitionHour>(HELD_MAX);
  count = 0;
  /** Of no meaning; kept so that the loads of `touch` are not optimised away. */
  touched = 0;

  /** `width`: filters per click, other than the total. */
  constructor(readonly width: number) {
    this.filters = new Int32Array(HELD_MAX * width);
  }

  get full(): boolean {
    return this.count === HELD_MAX;
  }

  /** Loads the id slots of all held clicks. */
  touch(): void {
    const { words, hours, count } = this;
    let touched = 0;
    for (let i = 0; i < count; i++) {
      const { ids } = hours[i]!;
      if (ids !== null) touched ^= ids.touch(words[i * 4]!, words[i * 4 + 1]!);
    }
    this.touched = touched;
  }

  clear(): void {
    this.count = 0;
  }
}
