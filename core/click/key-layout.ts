/** What a key is wanted for: one of the three required keys, or ROLE_FIELD + index of a field. */
export const NO_ROLE = -1;
export const ROLE_EVENT = 0;
export const ROLE_AD = 1;
export const ROLE_TIME = 2;
export const ROLE_FIELD = 3;

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
  private readonly names: readonly Uint8Array[];
  private readonly words = new Int32Array(MEMBERS_MAX * TOKEN_WORDS);
  /** The last four bytes of each token, which overlap its other words. */
  private readonly tails = new Int32Array(MEMBERS_MAX);
  /** 0: nothing learned. */
  private readonly lengths = new Int32Array(MEMBERS_MAX);
  private readonly roles = new Int32Array(MEMBERS_MAX);

  /** `wanted[role]` is the name of the key with that role; names are all different. */
  constructor(wanted: readonly string[]) {
    const encoder = new TextEncoder();
    this.names = wanted.map((name) => encoder.encode(name));
  }

  /** Whether the learned token of this member stands at `i`, with a value's byte after it. */
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

  lengthOf(member: number): number {
    return this.lengths[member] as number;
  }

  roleOf(member: number): number {
    return this.roles[member] as number;
  }

  /** Remembers `[i, end)`, a token of plain ASCII with valid syntax; returns the key's role. */
  learn(member: number, bytes: Uint8Array, data: DataView, i: number, end: number): number {
    const role = this.roleOfToken(bytes, i, end);
    const length = end - i;
    if (member >= MEMBERS_MAX) return role;
    if (length < TOKEN_BYTES_MIN || length > TOKEN_WORDS * 4) {
      this.lengths[member] = 0;
      return role;
    }
    let word = member * TOKEN_WORDS;
    for (let k = i; k < end - 4; k += 4) this.words[word++] = data.getInt32(k, true);
    this.tails[member] = data.getInt32(end - 4, true);
    this.lengths[member] = length;
    this.roles[member] = role;
    return role;
  }

  private roleOfToken(bytes: Uint8Array, i: number, end: number): number {
    let start = i;
    while (bytes[start] !== 0x22) start++;
    start++;
    let stop = start;
    while (stop < end && bytes[stop] !== 0x22) stop++;
    for (let role = 0; role < this.names.length; role++) {
      const name = this.names[role] as Uint8Array;
      if (name.length !== stop - start) continue;
      let k = 0;
      while (k < name.length && bytes[start + k] === name[k]) k++;
      if (k === name.length) return role;
    }
    return NO_ROLE;
  }
}
