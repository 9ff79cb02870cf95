import { Context } from '@temporalio/activity';
import { addFlows } from '../batch/flow.js';
import type { TaskActivities } from '../workflows/activity-contract.js';
import { hourMsOf } from '../workflows/input.js';
import type { ActivityDeps } from './deps.js';
import { ruleSetOf } from './plan-tasks.js';
import { withRelayedSignsOfLife } from './signs-of-life.js';

/** Loads the cells of all tasks in one transaction; inputs that were loaded before are found. */
export function loadGenerationActivity(deps: ActivityDeps): TaskActivities['loadGeneration'] {
  return ({ inputs, fileIds, tasks }) =>
    withRelayedSignsOfLife(async (report) => {
      const ruleSet = await deps.session((client) => ruleSetOf(client, inputs));
      const context = Context.current();
      const draft = {
        inputs: { hourMs: hourMsOf(inputs.hour), ruleSet: inputs.ruleSet, cut: inputs.cut },
        ruleSet,
        flow: addFlows(tasks.map(({ flow }) => ({ filteredBy: {}, ...flow }))),
        fileIds,
        builtBy: context.info.workflowExecution?.workflowId ?? 'unknown',
      };
      const { id, checksum, clicks, cells, existed } = await deps.tasks.load(
        draft,
        tasks.map((task) => task.cells),
        {
          signal: context.cancellationSignal,
          onProgress: report,
        },
      );
      return { generation: id, checksum, clicks, cells, existed };
    });
}
