/**
 * Whole signatures, in hex, at the beginning of compressed files but gz. A line of a log
 * may begin with `BZh`: of bzip2 the digits of the first block (π), or of the end (√π), count.
 */
const OTHERS: readonly (readonly [name: string, signature: RegExp])[] = [
  ['zstd', /^28b52ffd/],
  ['xz', /^fd377a585a00/],
  ['bzip2', /^425a683[1-9](?:314159265359|177245385090)/],
  ['zip', /^504b0304/],
];
/** RFC 1952: the two bytes of gz, deflate, and no flag that is reserved. */
const GZ = /^1f8b08[01]/;
export const SIGNATURE_BYTES = 10;

/** What the first bytes of a file say it is: `plain`, `gz`, or another compression. */
export function kindOfBytes(bytes: Buffer): string {
  const begin = bytes.toString('hex', 0, SIGNATURE_BYTES);
  if (GZ.test(begin)) return 'gz';
  return OTHERS.find(([, signature]) => signature.test(begin))?.[0] ?? 'plain';
}
