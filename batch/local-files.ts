import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { LakeStore } from '../lake/store.js';
import { fetchVerified } from '../lake/verify.js';
import type { ExpectedObject } from '../lake/verify.js';
import type { EngineLimits, TaskProgress } from './task.js';

/** What the engine works with. */
export interface EngineContext {
  readonly lake: LakeStore;
  readonly limits: EngineLimits;
  /** An existing folder for what is spilled and written on the way; each run has its own below. */
  readonly scratchDir: string;
  /** The time, for the names of scratch objects. */
  readonly nowMs: () => number;
  readonly onProgress: (progress: TaskProgress) => void;
}

/** An object of the lake and where its bytes are. */
export interface FetchedFile<F extends ExpectedObject> {
  readonly file: F;
  readonly path: string;
}

/** Calls `use` with a new folder, which is removed afterwards. */
export async function withScratch<T>(parent: string, use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(parent, 'task-'));
  try {
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/**
 * Fetches objects whose size and SHA-256 are as expected, and releases them after use.
 * @throws TruecountError `lake_file_missing`, `lake_file_damaged`, `lake_unavailable`
 */
export async function withFiles<F extends ExpectedObject, T>(
  objects: readonly F[],
  { lake, onProgress }: Pick<EngineContext, 'lake' | 'onProgress'>,
  use: (files: readonly FetchedFile<F>[]) => Promise<T>,
): Promise<T> {
  const total = objects.reduce((sum, file) => sum + file.bytes, 0);
  let done = 0;
  const releases: (() => Promise<void>)[] = [];
  try {
    const files: FetchedFile<F>[] = [];
    for (const file of objects) {
      onProgress({ stage: 'verify files', done, total });
      const fetched = await fetchVerified(lake, file);
      releases.push(() => fetched.release());
      files.push({ file, path: fetched.path });
      done += file.bytes;
    }
    return await use(files);
  } finally {
    for (const release of releases) await release();
  }
}
