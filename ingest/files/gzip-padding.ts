/**
 * Behind the last member of gzip data zeros may stand, as tape and disk blocks leave them. zlib
 * stops at them without a word, whatever follows.
 */
export const LOST_BEHIND_ZEROS =
  'zeros between the members, and data behind them that would be lost';

/** How many of the last bytes are zeros. */
export function trailingZeros(bytes: Buffer): number {
  let at = bytes.length;
  while (at > 0 && bytes[at - 1] === 0) at -= 1;
  return bytes.length - at;
}

/** Whether there are only zeros, or nothing. */
export function isPadding(bytes: Buffer): boolean {
  return trailingZeros(bytes) === bytes.length;
}
