import { Context } from '@temporalio/activity';
import type { Activities, TaskActivities } from '../workflows/activity-contract.js';
import { aggregateTaskActivity } from './aggregate-task.js';
import { awaitArchiveActivity } from './await-archive.js';
import { awaitStreamActivity, logEndsActivity } from './await-stream.js';
import { cutHourActivity, cutHoursActivity } from './cut-hour.js';
import type { ActivityDeps } from './deps.js';
import { dueWorkActivity } from './due-work.js';
import { asFailure } from './failures.js';
import type { Aborted } from './failures.js';
import { hashPlanActivity } from './hash-plan.js';
import { loadGenerationActivity } from './load-generation.js';
import { lookAtHoursActivity } from './look-at-hours.js';
import { planTasksActivity } from './plan-tasks.js';
import { publishActivity } from './publish.js';
import { reconcileHourActivity } from './reconcile-hour.js';
import { recordFailuresActivity } from './record-failures.js';
import { resolveInputsActivity } from './resolve-inputs.js';
import { removeScratchActivity, sweepActivity } from './sweep.js';

/** The activities beside workflows: short questions and steps in Postgres. */
export function createActivities(deps: ActivityDeps): Activities {
  return failing({
    logEnds: logEndsActivity(deps),
    awaitStream: awaitStreamActivity(deps),
    cutHour: cutHourActivity(deps),
    cutHours: cutHoursActivity(deps),
    lookAtHours: lookAtHoursActivity(deps),
    resolveInputs: resolveInputsActivity(deps),
    awaitArchive: awaitArchiveActivity(deps),
    planTasks: planTasksActivity(deps),
    reconcileHour: reconcileHourActivity(deps),
    hashPlan: hashPlanActivity(),
    publish: publishActivity(deps),
    dueWork: dueWorkActivity(deps),
    recordFailures: recordFailuresActivity(deps),
    removeScratch: removeScratchActivity(deps),
    sweep: sweepActivity(deps),
  });
}

/** The heavy ones, for the queue of tasks. */
export function createTaskActivities(deps: ActivityDeps): TaskActivities {
  return failing({
    aggregateTask: aggregateTaskActivity(deps),
    loadGeneration: loadGenerationActivity(deps),
  });
}

type Verb = (input: never) => Promise<unknown>;

/** Every error leaves an activity as a failure with one of the closed codes. */
function failing<T extends { readonly [name in keyof T]: Verb }>(verbs: T): T {
  const wrapped = Object.entries<Verb>(verbs).map(([name, verb]) => [
    name,
    async (input: never) => {
      try {
        return await verb(input);
      } catch (error) {
        const context = Context.current();
        throw asFailure(error, context.info.attempt, abortedBy(context));
      }
    },
  ]);
  return Object.fromEntries(wrapped) as T;
}

function abortedBy({ cancellationSignal, cancellationDetails }: Context): Aborted {
  if (!cancellationSignal.aborted) return null;
  if (cancellationDetails?.cancelRequested === true) return 'cancelled';
  return cancellationDetails?.timedOut === true ? 'silent' : 'stopped';
}
