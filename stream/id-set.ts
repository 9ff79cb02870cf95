/**
 * The ids seen in one (partition, hour): an open-addressing set of 128-bit words in flat memory,
 * 16 bytes a slot and nothing else. A plain `Set` of strings takes three to five times the bytes.
 *
 * The set starts as one table and splits into segments once it is large, so that growing moves at
 * most 1/64 of it at a time and a flush is never late because a table of ten million ids was
 * rebuilt. Slots are found by multiplication instead of a mask, so a table may have any size and
 * grows by half: between 23 and 34 bytes an id (bench/ids prints the measured figure).
 */
const WORDS = 4;
const SLOT_BYTES = WORDS * 4;
const SLOTS_MIN = 32;
const LOAD_MAX = 0.7;
const GROWTH = 1.5;
const SEGMENTS = 64;
/** Ids above which the one table becomes 64: 1 MiB of slots. */
const SPLIT_AT = 45_000;

class Segment {
  slots: Int32Array;
  capacity: number;
  size = 0;
  private limit: number;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.slots = new Int32Array(capacity * WORDS);
    this.limit = Math.floor(capacity * LOAD_MAX);
  }

  add(w0: number, w1: number, w2: number, w3: number): boolean {
    const slots = this.slots;
    const end = this.capacity * WORDS;
    let at = Math.floor(((w0 >>> 0) * this.capacity) / 4_294_967_296) * WORDS;
    for (;;) {
      const s0 = slots[at]!;
      const s3 = slots[at + 3]!;
      if (s0 === w0 && s3 === w3 && slots[at + 1] === w1 && slots[at + 2] === w2) return false;
      if (s0 === 0 && s3 === 0 && slots[at + 1] === 0 && slots[at + 2] === 0) break;
      at += WORDS;
      if (at === end) at = 0;
    }
    slots[at] = w0;
    slots[at + 1] = w1;
    slots[at + 2] = w2;
    slots[at + 3] = w3;
    this.size++;
    if (this.size > this.limit) this.grow();
    return true;
  }

  /** First word of the slot where a search begins: to have it in the cache by the time of `add`. */
  touch(w0: number): number {
    return this.slots[Math.floor(((w0 >>> 0) * this.capacity) / 4_294_967_296) * WORDS]!;
  }

  /** Hands every id to `into`, in slot order. */
  each(into: (w0: number, w1: number, w2: number, w3: number) => void): void {
    const slots = this.slots;
    for (let at = 0; at < slots.length; at += WORDS) {
      const w0 = slots[at]!;
      const w1 = slots[at + 1]!;
      const w2 = slots[at + 2]!;
      const w3 = slots[at + 3]!;
      if ((w0 | w1 | w2 | w3) !== 0) into(w0, w1, w2, w3);
    }
  }

  private grow(): void {
    const larger = new Segment(Math.ceil(this.capacity * GROWTH));
    this.each((w0, w1, w2, w3) => larger.add(w0, w1, w2, w3));
    this.slots = larger.slots;
    this.capacity = larger.capacity;
    this.limit = larger.limit;
  }
}

export class IdSet {
  private segments: Segment[] = [new Segment(SLOTS_MIN)];
  private slotCount = SLOTS_MIN;

  /** Remembers the id; false if it was there already. */
  add(w0: number, w1: number, w2: number, w3: number): boolean {
    // All-zero words mark an empty slot; the one id that hashes to them is moved aside.
    if ((w0 | w1 | w2 | w3) === 0) w3 = 1;
    if (this.segments.length === 1 && this.segments[0]!.size >= SPLIT_AT) this.split();
    const segment = this.segments.length === 1 ? this.segments[0]! : this.segments[w1 >>> 26]!;
    const before = segment.capacity;
    const added = segment.add(w0, w1, w2, w3);
    this.slotCount += segment.capacity - before;
    return added;
  }

  /**
   * Loads what `add` of this id will look at. Called for many ids before the first is added, the
   * loads run side by side, where each `add` alone would wait for its own. Returns some word.
   */
  touch(w0: number, w1: number): number {
    const { segments } = this;
    return (segments.length === 1 ? segments[0]! : segments[w1 >>> 26]!).touch(w0);
  }

  get size(): number {
    return this.segments.reduce((sum, segment) => sum + segment.size, 0);
  }

  /** Bytes held by the slots. */
  get bytes(): number {
    return this.slotCount * SLOT_BYTES;
  }

  private split(): void {
    const only = this.segments[0]!;
    const capacity = Math.ceil((only.size / SEGMENTS / LOAD_MAX) * GROWTH);
    const segments = Array.from({ length: SEGMENTS }, () => new Segment(capacity));
    only.each((w0, w1, w2, w3) => segments[w1 >>> 26]!.add(w0, w1, w2, w3));
    this.segments = segments;
    this.slotCount = segments.reduce((sum, segment) => sum + segment.capacity, 0);
  }
}
