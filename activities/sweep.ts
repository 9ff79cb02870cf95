import { sweepScratch } from '../batch/scratch.js';
import type { Activities } from '../workflows/activity-contract.js';
import type { ActivityDeps } from './deps.js';
import { withSignsOfLife } from './signs-of-life.js';

/** No recompute lasts as long: a scratch object this old is of an attempt that was killed. */
const SCRATCH_AGE_MS = 24 * 3_600_000;

/** Removes scratch objects of a finished attempt; those that are gone are none to worry about. */
export function removeScratchActivity({ lake }: ActivityDeps): Activities['removeScratch'] {
  return ({ keys }) =>
    withSignsOfLife(async () => {
      for (const key of keys) await lake.remove(key);
    });
}

/** What killed attempts left in the lake. */
export function sweepActivity({ lake }: ActivityDeps): Activities['sweep'] {
  return () =>
    withSignsOfLife(async () => {
      const scratchRemoved = await sweepScratch(lake, Date.now() - SCRATCH_AGE_MS);
      return { scratchRemoved };
    });
}
