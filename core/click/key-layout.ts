/** What a key is wanted for: nothing, one of the required three, or SLOT_FIELD + a field's index. */
export const UNWANTED = 0;
export const SLOT_EVENT = 1;
export const SLOT_AD = 2;
export const SLOT_TIME = 3;
export const SLOT_FIELD = 4;

/** Longest learned token, in words of 4 bytes, and the number of members learned. */
const TOKEN_WORDS = 16;
const MEMBERS_MAX = 64;
const TOKEN_BYTES_MIN = 4;

/**
 * The keys of the record before, in order: producers write the same keys in the same order, so a
 * key is mostly known by one comparison. A token is the bytes from after `{` or `,` up to the first
 * byte of the value (`"ad_id":`), spaces included, compared in words of 4 bytes.
 */
export class KeyLayout {
  /** Per member: the length of its token (0: nothing learned) and the slot of its key. */
  readonly lengths = new Int32Array(MEMBERS_MAX);
  readonly slots = new Int32Array(MEMBERS_MAX);
  private readonly names: readonly Uint8Array[];
  private readonly words = new Int32Array(MEMBERS_MAX * TOKEN_WORDS);
  /** The last four bytes of each token, which overlap its other words. */
  private readonly tails = new Int32Array(MEMBERS_MAX);

  /** Names of the keys with a slot, from SLOT_EVENT on; all different. */
  constructor(wanted: readonly string[]) {
    const encoder = new TextEncoder();
    this.names = wanted.map((name) => encoder.encode(name));
  }

  /** Whether the learned token of this member stands at `i`, with a byte of the value after it. */
  matches(member: number, data: DataView, i: number, end: number): boolean {
    if (member >= MEMBERS_MAX) return false;
    const length = this.lengths[member] as number;
    if (length === 0 || i + length >= end) return false;
    const last = i + length - 4;
    let word = member * TOKEN_WORDS;
    for (let k = i; k < last; k += 4) {
      if (data.getInt32(k, true) !== this.words[word++]) return false;
    }
    return data.getInt32(last, true) === this.tails[member];
  }

  /** Remembers `[i, end)`, a token of plain ASCII with valid syntax whose key has this slot. */
  learn(member: number, slot: number, data: DataView, i: number, end: number): void {
    if (member >= MEMBERS_MAX) return;
    const length = end - i;
    this.lengths[member] = length < TOKEN_BYTES_MIN || length > TOKEN_WORDS * 4 ? 0 : length;
    if (this.lengths[member] === 0) return;
    let word = member * TOKEN_WORDS;
    for (let k = i; k < end - 4; k += 4) this.words[word++] = data.getInt32(k, true);
    this.tails[member] = data.getInt32(end - 4, true);
    this.slots[member] = slot;
  }

  /** The slot of the key `[i, end)`. */
  slotOf(bytes: Uint8Array, i: number, end: number): number {
    for (let n = 0; n < this.names.length; n++) {
      const name = this.names[n] as Uint8Array;
      if (name.length !== end - i) continue;
      let k = 0;
      while (k < name.length && bytes[i + k] === name[k]) k++;
      if (k === name.length) return n + 1;
    }
    return UNWANTED;
  }
}
