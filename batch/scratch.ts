import { randomUUID } from 'node:crypto';
import { SCRATCH_PREFIX } from '../lake/store.js';
import type { LakeStore } from '../lake/store.js';

const KEY = /^scratch\/[0-9a-zA-Z-]+\.(\d+)-[0-9a-f-]+\.parquet$/;

/** A new key for a scratch object of a run; it tells when it was made. */
export function scratchKey(run: string, nowMs: number): string {
  return `${SCRATCH_PREFIX}${run}.${String(nowMs)}-${randomUUID()}.parquet`;
}

/** Removes all scratch objects of a run, also those of attempts that were killed. */
export async function removeScratchOf(lake: LakeStore, run: string): Promise<void> {
  for await (const { key } of lake.list(`${SCRATCH_PREFIX}${run}.`)) await lake.remove(key);
}

/**
 * Removes scratch objects that were made before `beforeMs`: those of runs that were terminated, so
 * that nobody tidied up after them. Returns how many.
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
