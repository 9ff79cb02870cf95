import { CancellationScope } from '@temporalio/workflow';
import type { LoadResult, ResolvedInputs, TaskPlan, TaskResult } from './activity-contract.js';
import { checked } from './checked.js';
import { checkRecompute } from './checks.js';
import type { RecomputeHourInput, RecomputeHourResult } from './contract.js';
import { heavy, short, tidy, waiting } from './proxies.js';
import { ofHour, running } from './run.js';
import type { Run } from './run.js';
import { inWindow } from './window.js';

/** Tasks of one hour that are handed out at the same time; workers take what they have room for. */
const TASKS_IN_WORK = 8;

/**
 * Counts one hour anew from the lake, into a generation: resolves what it is a function of, waits
 * until the archive holds it, counts in tasks, loads. The same inputs give the same generation, so
 * it may run as often as anybody likes.
 */
export async function recomputeHour(input: RecomputeHourInput): Promise<RecomputeHourResult> {
  const { archiveTimeoutMs, ...asked } = checked(input, checkRecompute);
  const { hour } = asked;
  return running(
    ofHour(hour),
    ({ existed }) => (existed ? 'existed' : 'computed'),
    async (run) => {
      run.show({ stage: 'resolve' });
      const summary = `inputs of ${hour}`;
      const resolved = await short.resolveInputs.executeWithOptions({ summary }, [asked]);
      const { inputs, existing, revision } = resolved;
      if (existing !== null) return { ...asResult(inputs, existing, []), revision };
      run.show({ stage: 'archive' });
      await waiting(archiveTimeoutMs).awaitArchive.executeWithOptions(
        { summary: 'until the archive has passed the cut' },
        [inputs],
      );
      run.show({ stage: 'plan' });
      const plan = await short.planTasks.executeWithOptions({ summary: `tasks of ${hour}` }, [
        inputs,
      ]);
      run.show({ rowsTotal: plan.tasks.reduce((sum, { rows }) => sum + rows, 0) });
      return { ...(await count(run, inputs, plan)), revision };
    },
  );
}

type Computed = Omit<RecomputeHourResult, 'revision'>;

/** Tasks, then the load. Their scratch objects go whatever happens. */
async function count(run: Run, inputs: ResolvedInputs, plan: TaskPlan): Promise<Computed> {
  const results: TaskResult[] = [];
  try {
    run.show({ stage: 'aggregate' });
    const failed: unknown[] = [];
    const total = String(plan.tasks.length);
    const { done } = await inWindow(
      plan.tasks.map((task, i) => ({ ...task, summary: `task ${String(i + 1)} of ${total}` })),
      {
        width: TASKS_IN_WORK,
        gate: () => run.untilResumed(),
        goOn: () => failed.length === 0,
      },
      async ({ fileIds, rows, summary }) => {
        try {
          const result = await heavy().aggregateTask.executeWithOptions({ summary }, [
            { inputs, fileIds },
          ]);
          results.push(result);
          run.did({ rows });
        } catch (error) {
          failed.push(error);
          throw error;
        }
      },
    );
    const bad = done.find((outcome) => !outcome.ok);
    if (bad?.ok === false) throw bad.error;
    await run.untilResumed();
    return await load(run, inputs, plan, results);
  } finally {
    // What stays behind goes with a later sweep: it must not turn a success into a failure.
    await CancellationScope.nonCancellable(() =>
      tidy.removeScratch.executeWithOptions({ summary: 'scratch objects' }, []),
    ).catch(() => undefined);
  }
}

async function load(
  run: Run,
  inputs: ResolvedInputs,
  { tasks }: TaskPlan,
  results: readonly TaskResult[],
): Promise<Computed> {
  run.show({ stage: 'load' });
  const fileIds = tasks.flatMap((task) => task.fileIds).sort((a, b) => a - b);
  const loaded = await heavy().loadGeneration.executeWithOptions({ summary: 'load' }, [
    { inputs, fileIds, tasks: results },
  ]);
  run.did({ hours: 1 });
  return asResult(inputs, loaded, results);
}

function asResult(
  { hour, ruleSet }: ResolvedInputs,
  loaded: LoadResult,
  results: readonly TaskResult[],
): Computed {
  const rowsRead = results.reduce((sum, task) => sum + task.rowsRead, 0);
  return { hour, ruleSet, ...loaded, rowsRead };
}
