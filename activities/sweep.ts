import { Context } from '@temporalio/activity';
import { sweepScratch } from '../batch/scratch.js';
import { collectGenerations } from '../store/generations/collect.js';
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

/** What killed attempts left in the lake, and the cells of generations that nobody can need. */
export function sweepActivity({ lake, settle, longSession }: ActivityDeps): Activities['sweep'] {
  const { keepGenerations, keepMs } = settle;
  return () =>
    withSignsOfLife(async () => {
      const scratchRemoved = await sweepScratch(lake, Date.now() - SCRATCH_AGE_MS);
      const { cancellationSignal: signal } = Context.current();
      const { generations } = await longSession(signal, (client) =>
        collectGenerations(client, { keepGenerations, keepMs, signal }),
      );
      return { scratchRemoved, generationsCollected: generations.length };
    });
}
