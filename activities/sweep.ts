import { Context } from '@temporalio/activity';
import { removeScratchOf, sweepScratch } from '../batch/scratch.js';
import { collectGenerations } from '../store/generations/collect.js';
import type { Activities } from '../workflows/activity-contract.js';
import type { ActivityDeps } from './deps.js';
import { withSignsOfLife } from './signs-of-life.js';

/** No recompute lasts as long: a scratch object this old is of a run that was terminated. */
const SCRATCH_AGE_MS = 24 * 3_600_000;

/** Removes the scratch objects of the workflow run that asks, whichever attempt left them. */
export function removeScratchActivity({ lake }: ActivityDeps): Activities['removeScratch'] {
  return () =>
    withSignsOfLife(() => removeScratchOf(lake, Context.current().info.workflowExecution!.runId));
}

/** What terminated runs left in the lake, and the cells of generations that nobody can need. */
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
