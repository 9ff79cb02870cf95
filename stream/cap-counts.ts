/**
 * How many clicks have come to each cap, of one (partition, hour): counts by 128-bit words in flat
 * memory, 20 bytes a slot.
 */
const WORDS = 5;
const SLOTS_MIN = 64;
const LOAD_MAX = 0.7;

export class CapCounts {
  private slots = new Int32Array(SLOTS_MIN * WORDS);
  private size = 0;

  /** Counts one more; returns how many it are. */
  add(w0: number, w1: number, w2: number, w3: number): number {
    if (this.size >= (this.slots.length / WORDS) * LOAD_MAX) this.grow();
    const at = find(this.slots, w0, w1, w2, w3);
    const { slots } = this;
    const count = slots[at + 4]! + 1;
    if (count === 1) {
      slots.set([w0, w1, w2, w3], at);
      this.size++;
    }
    slots[at + 4] = count;
    return count;
  }

  get bytes(): number {
    return this.slots.byteLength;
  }

  private grow(): void {
    const { slots } = this;
    const larger = new Int32Array(slots.length * 2);
    for (let at = 0; at < slots.length; at += WORDS) {
      if (slots[at + 4] === 0) continue;
      const to = find(larger, slots[at]!, slots[at + 1]!, slots[at + 2]!, slots[at + 3]!);
      larger.set(slots.subarray(at, at + WORDS), to);
    }
    this.slots = larger;
  }
}

/** Where these words are, or the free slot where they would be; a free slot has no count. */
function find(slots: Int32Array, w0: number, w1: number, w2: number, w3: number): number {
  const capacity = slots.length / WORDS;
  let at = Math.floor(((w0 >>> 0) * capacity) / 4_294_967_296) * WORDS;
  for (;;) {
    if (slots[at + 4] === 0) return at;
    const same =
      slots[at] === w0 && slots[at + 1] === w1 && slots[at + 2] === w2 && slots[at + 3] === w3;
    if (same) return at;
    at += WORDS;
    if (at === slots.length) at = 0;
  }
}
