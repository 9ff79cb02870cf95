/** A file of the manifest, as readers of the lake need it. */
export interface LakeFile {
  /** Number in the manifest. */
  readonly id: number;
  /** Path in the lake: never used twice. */
  readonly key: string;
  readonly bytes: number;
  /** 64 lower-case hex digits. */
  readonly sha256: string;
  readonly rows: number;
  /** Clicks of ads with `bucketOf(adId, buckets) = bucket`. */
  readonly bucket: number;
  readonly buckets: number;
}

/** What helps where a file of the manifest is damaged: nothing makes it a second time. */
export const RESTORE_HINT =
  'restore it under the same key from a copy of the lake; until then its hours keep what they serve';

/**
 * The bucket of an ad: FNV-1a (32 bits) over the UTF-8 bytes of its id, modulo `buckets`. Part of
 * the format of the lake: it must never change. (G. Fowler, L. Noll, K.-P. Vo, "FNV hash")
 */
export function bucketOf(adId: Uint8Array, buckets: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < adId.length; i++) {
    hash ^= adId[i]!;
    hash = Math.imul(hash, 0x01000193);
  }
  return (hash >>> 0) % buckets;
}
