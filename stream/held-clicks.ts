import type { ClickView } from '../core/click/view.js';
import { MINUTES_PER_HOUR } from '../core/time.js';
import { hash128 } from './hash128.js';
import type { ByteInterner } from './interner.js';
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
  /** Index of the reason in the hour's rules; 0: nothing but a cap keeps it from being counted. */
  readonly reasons = new Uint8Array(HELD_MAX);
  /** Four words per cap; all of them 0 where the click has no text in the cap's field. */
  readonly capWords: Int32Array;
  readonly hours = new Array<PartitionHour>(HELD_MAX);
  count = 0;
  /** Of no meaning; kept so that the loads of `touch` are not optimised away. */
  touched = 0;

  /** `width`: filters per click, other than the total; `caps`: caps of one rule set at most. */
  constructor(
    readonly width: number,
    readonly caps: number,
  ) {
    this.filters = new Int32Array(HELD_MAX * width);
    this.capWords = new Int32Array(HELD_MAX * caps * 4);
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

  /**
   * Takes of the click in `view`, which is held at `i`, what its hour's caps count by: partition and
   * hour are those of the counts.
   */
  holdCaps(i: number, view: ClickView, ads: ByteInterner): void {
    const { caps } = this.hours[i]!.rules;
    const words = this.capWords;
    for (let c = 0; c < caps.length; c++) {
      const { field } = caps[c]!;
      const at = (i * this.caps + c) * 4;
      const start = view.fieldStart[field]!;
      if (start < 0) {
        words.fill(0, at, at + 4);
        continue;
      }
      const seed = ads.wordsAt(this.ads[i]!);
      hash128(view.source, start, view.fieldEnd[field]!, ads.words(), seed, words, at);
      // Each minute and cap has counts of its own. Both steps can be undone: no two keys meet by it.
      words[at + 1]! ^= Math.imul(1 + this.minutes[i]! + c * MINUTES_PER_HOUR, 0x9e3779b1);
      words[at]! ^= Math.imul(words[at + 1]!, 0x85ebca6b);
    }
  }

  /** Why a click that is no duplicate is not counted; 0: it is. It comes to every cap. */
  reasonOf(i: number): number {
    const { capped, rules } = this.hours[i]!;
    let reason = this.reasons[i]!;
    if (capped === null || reason !== 0) return reason;
    const words = this.capWords;
    for (let c = 0; c < rules.caps.length; c++) {
      const at = (i * this.caps + c) * 4;
      if ((words[at]! | words[at + 1]! | words[at + 2]! | words[at + 3]!) === 0) continue;
      const { max, reason: above } = rules.caps[c]!;
      const n = capped.add(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
      if (n > max && reason === 0) reason = above;
    }
    return reason;
  }

  clear(): void {
    this.count = 0;
  }
}
