/**
 * A seeded 128-bit hash of a byte range, chained from an earlier one: the id of a click is
 * `hash(event_id, seeded with hash(ad_id))`, so the ad is hashed once per distinct ad, not per click.
 *
 * The algorithm is MurmurHash3_x86_128 (Austin Appleby, public domain) with four independent seeds
 * instead of one. The seeds are random per process: nobody outside can prepare two ids that
 * collide. With n ids remembered the chance of any false duplicate is about n²/2^129: 10⁻²⁰ for a
 * billion ids of one hour.
 */
export type Words = Int32Array;

const C1 = 0x239b961b;
const C2 = 0xab0e9789 | 0;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93 | 0;

function mix(h: number): number {
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** Up to four bytes before `end`, little-endian, missing ones as zero. */
function tailWord(bytes: Uint8Array, at: number, end: number): number {
  let k = 0;
  for (let shift = 0; at < end && shift < 32; shift += 8) k |= bytes[at++]! << shift;
  return k;
}

/**
 * Hashes `bytes[start, end)` with the four seed words at `seeds[seedAt…]` and writes four words to
 * `out[outAt…]`. `seeds` and `out` may be the same array.
 */
export function hash128(
  bytes: Uint8Array,
  start: number,
  end: number,
  seeds: Words,
  seedAt: number,
  out: Words,
  outAt: number,
): void {
  const length = end - start;
  let h1 = seeds[seedAt]!;
  let h2 = seeds[seedAt + 1]!;
  let h3 = seeds[seedAt + 2]!;
  let h4 = seeds[seedAt + 3]!;
  let k: number;
  let at = start;
  for (; at + 16 <= end; at += 16) {
    k = Math.imul(word(bytes, at), C1);
    h1 ^= Math.imul((k << 15) | (k >>> 17), C2);
    h1 = (Math.imul(((h1 << 19) | (h1 >>> 13)) + h2, 5) + 0x561ccd1b) | 0;
    k = Math.imul(word(bytes, at + 4), C2);
    h2 ^= Math.imul((k << 16) | (k >>> 16), C3);
    h2 = (Math.imul(((h2 << 17) | (h2 >>> 15)) + h3, 5) + 0x0bcaa747) | 0;
    k = Math.imul(word(bytes, at + 8), C3);
    h3 ^= Math.imul((k << 17) | (k >>> 15), C4);
    h3 = (Math.imul(((h3 << 15) | (h3 >>> 17)) + h4, 5) + 0x96cd1c35) | 0;
    k = Math.imul(word(bytes, at + 12), C4);
    h4 ^= Math.imul((k << 18) | (k >>> 14), C1);
    h4 = (Math.imul(((h4 << 13) | (h4 >>> 19)) + h1, 5) + 0x32ac3b17) | 0;
  }
  if (at < end) {
    if (end - at > 12) {
      k = Math.imul(tailWord(bytes, at + 12, end), C4);
      h4 ^= Math.imul((k << 18) | (k >>> 14), C1);
    }
    if (end - at > 8) {
      k = Math.imul(tailWord(bytes, at + 8, end), C3);
      h3 ^= Math.imul((k << 17) | (k >>> 15), C4);
    }
    if (end - at > 4) {
      k = Math.imul(tailWord(bytes, at + 4, end), C2);
      h2 ^= Math.imul((k << 16) | (k >>> 16), C3);
    }
    k = Math.imul(tailWord(bytes, at, end), C1);
    h1 ^= Math.imul((k << 15) | (k >>> 17), C2);
  }
  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = mix(h1);
  h2 = mix(h2);
  h3 = mix(h3);
  h4 = mix(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  out[outAt] = h1;
  out[outAt + 1] = (h2 + h1) | 0;
  out[outAt + 2] = (h3 + h1) | 0;
  out[outAt + 3] = (h4 + h1) | 0;
}
