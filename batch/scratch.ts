import { randomUUID } from 'node:crypto';
import { SCRATCH_PREFIX } from '../lake/store.js';
import type { LakeStore } from '../lake/store.js';

const KEY = /^scratch\/(\d+)-[0-9a-f-]+\.parquet$/;

/** A new key for a scratch object; it tells when it was made. */
export function scratchKey(nowMs: number): string {
  return `${SCRATCH_PREFIX}${String(nowMs)}-${randomUUID()}.parquet`;
}

/**
 * Removes scratch objects that were made before `beforeMs`: those of attempts that were killed before
 * anybody knew their keys. Returns how many.
 * @throws TruecountError `lake_unavailable`
 */
export async function sweepScratch(lake: LakeStore, beforeMs: number): Promise<number> {
  let removed = 0;
  for await (const { key } of lake.list(SCRATCH_PREFIX)) {
    const madeMs = Number(KEY.exec(key)?.[1] ?? Infinity);
    if (madeMs >= beforeMs) continue;
    await lake.remove(key);
    removed++;
  }
  return removed;
}
