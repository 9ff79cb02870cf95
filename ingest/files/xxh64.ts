/**
 * XXH64 with seed 0, of which zstd stores the lower half behind a frame (RFC 8878, 3.1.1; the
 * algorithm: github.com/Cyan4973/xxHash, doc/xxhash_spec.md). Words of 64 bits are two halves of 32:
 * BigInt is some ten times slower.
 */

/** A word of 64 bits. */
interface Word {
  high: number;
  low: number;
}

const P1 = word(0x9e3779b1, 0x85ebca87);
const P2 = word(0xc2b2ae3d, 0x27d4eb4f);
const P3 = word(0x165667b1, 0x9e3779f9);
const P4 = word(0x85ebca77, 0xc2b2ae63);
const P5 = word(0x27d4eb2f, 0x165667c5);

const STRIPE_BYTES = 32;

export class XxHash64 {
  private readonly lanes: readonly [Word, Word, Word, Word];
  private readonly pending = Buffer.alloc(STRIPE_BYTES);
  private pendingBytes = 0;
  private total = 0;

  constructor() {
    const first = add(copy(P1), P2);
    this.lanes = [first, copy(P2), word(0, 0), negated(P1)];
  }

  update(bytes: Buffer): void {
    this.total += bytes.length;
    let at = 0;
    if (this.pendingBytes > 0) {
      at = bytes.copy(this.pending, this.pendingBytes, 0, STRIPE_BYTES - this.pendingBytes);
      this.pendingBytes += at;
      if (this.pendingBytes < STRIPE_BYTES) return;
      this.stripe(this.pending, 0);
      this.pendingBytes = 0;
    }
    for (; at + STRIPE_BYTES <= bytes.length; at += STRIPE_BYTES) this.stripe(bytes, at);
    this.pendingBytes = bytes.copy(this.pending, 0, at);
  }

  /** The lower 32 bits of the hash; ends it. */
  low32(): number {
    const { pending, pendingBytes } = this;
    let hash = this.total >= STRIPE_BYTES ? this.merged() : copy(P5);
    hash = add(hash, word(Math.floor(this.total / 2 ** 32), this.total >>> 0));
    let at = 0;
    for (; at + 8 <= pendingBytes; at += 8) {
      xor(hash, round(word(0, 0), pending, at));
      add(multiply(rotate(hash, 27), P1), P4);
    }
    if (at + 4 <= pendingBytes) {
      xor(hash, multiply(word(0, pending.readUInt32LE(at)), P1));
      add(multiply(rotate(hash, 23), P2), P3);
      at += 4;
    }
    for (; at < pendingBytes; at++) {
      xor(hash, multiply(word(0, pending[at]!), P5));
      multiply(rotate(hash, 11), P1);
    }
    xor(hash, shifted(hash, 33));
    xor(multiply(hash, P2), shifted(hash, 29));
    xor(multiply(hash, P3), shifted(hash, 32));
    return hash.low >>> 0;
  }

  private stripe(bytes: Buffer, at: number): void {
    const [a, b, c, d] = this.lanes;
    round(a, bytes, at);
    round(b, bytes, at + 8);
    round(c, bytes, at + 16);
    round(d, bytes, at + 24);
  }

  private merged(): Word {
    const [a, b, c, d] = this.lanes;
    const hash = add(rotate(copy(a), 1), rotate(copy(b), 7));
    add(add(hash, rotate(copy(c), 12)), rotate(copy(d), 18));
    for (const lane of this.lanes) {
      xor(hash, multiply(rotate(multiply(copy(lane), P2), 31), P1));
      add(multiply(hash, P1), P4);
    }
    return hash;
  }
}

function word(high: number, low: number): Word {
  return { high: high | 0, low: low | 0 };
}

function copy({ high, low }: Word): Word {
  return { high, low };
}

/** The functions below change their first argument, and give it back. */
function add(a: Word, b: Word): Word {
  const low = (a.low >>> 0) + (b.low >>> 0);
  a.high = (a.high + b.high + (low > 0xffffffff ? 1 : 0)) | 0;
  a.low = low | 0;
  return a;
}

function negated({ high, low }: Word): Word {
  return add(word(~high, ~low), word(0, 1));
}

function xor(a: Word, b: Word): Word {
  a.high ^= b.high;
  a.low ^= b.low;
  return a;
}

/** By 1 to 31 bits. */
function rotate(a: Word, bits: number): Word {
  const { high, low } = a;
  a.high = (high << bits) | (low >>> (32 - bits));
  a.low = (low << bits) | (high >>> (32 - bits));
  return a;
}

/** To the right by fewer than 64 bits, as a word of its own. */
function shifted({ high, low }: Word, bits: number): Word {
  if (bits >= 32) return word(0, high >>> (bits - 32));
  return word(high >>> bits, (low >>> bits) | (high << (32 - bits)));
}

/** Modulo 2^64: the lower halves by parts of 16 bits, as their product needs 64. */
function multiply(a: Word, b: Word): Word {
  const [aHigh, aLow] = [a.low >>> 16, a.low & 0xffff];
  const [bHigh, bLow] = [b.low >>> 16, b.low & 0xffff];
  const lowest = Math.imul(aLow, bLow) >>> 0;
  const middle = aHigh * bLow + (lowest >>> 16);
  const other = aLow * bHigh + (middle % 0x10000);
  const carry = aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(other / 0x10000);
  const cross = Math.imul(a.high, b.low) + Math.imul(a.low, b.high);
  a.high = (carry + cross) | 0;
  a.low = (other << 16) | (lowest & 0xffff);
  return a;
}

/** One round of a lane with the 8 bytes at `at`. */
function round(lane: Word, bytes: Buffer, at: number): Word {
  const input = word(bytes.readInt32LE(at + 4), bytes.readInt32LE(at));
  return multiply(rotate(add(lane, multiply(input, P2)), 31), P1);
}
