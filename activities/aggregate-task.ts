import { Context } from '@temporalio/activity';
import type { TaskActivities } from '../workflows/activity-contract.js';
import { hourMsOf } from '../workflows/input.js';
import type { ActivityDeps } from './deps.js';
import { filesOf, ruleSetOf } from './plan-tasks.js';
import { withRelayedSignsOfLife } from './signs-of-life.js';

/**
 * One task of a recompute, in a process of its own. Run again, it leaves another scratch object with
 * the same cells; all of them go with the run.
 */
export function aggregateTaskActivity(deps: ActivityDeps): TaskActivities['aggregateTask'] {
  return ({ inputs, fileIds }) =>
    withRelayedSignsOfLife(async (report) => {
      const context = Context.current();
      const [files, ruleSet] = await deps.session(async (client) => [
        await filesOf(client, inputs, fileIds),
        await ruleSetOf(client, inputs),
      ]);
      const { runId: run } = context.info.workflowExecution!;
      const task = { run, hourMs: hourMsOf(inputs.hour), files, cut: inputs.cut, ruleSet };
      const { cells, flow, rowsRead } = await deps.tasks.aggregate(task, {
        signal: context.cancellationSignal,
        onProgress: report,
      });
      const { received, counted, duplicate, filtered, filteredBy } = flow;
      return {
        cells,
        flow: {
          received: [...received],
          counted: [...counted],
          duplicate: [...duplicate],
          filtered: [...filtered],
          filteredBy,
        },
        rowsRead,
      };
    });
}
