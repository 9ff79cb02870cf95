import { Context } from '@temporalio/activity';
import { reconcileHour } from '../store/reconcile/reconcile-hour.js';
import type { Activities } from '../workflows/activity-contract.js';
import { hourMsOf } from '../workflows/input.js';
import type { ActivityDeps } from './deps.js';
import { withSignsOfLife } from './signs-of-life.js';

/** Diffs a generation and keeps the report; run again, it keeps another of the same diff. */
export function reconcileHourActivity(deps: ActivityDeps): Activities['reconcileHour'] {
  return ({ hour, generation, against }) =>
    withSignsOfLife(async () => {
      const { info, cancellationSignal } = Context.current();
      const outcome = await deps.longSession(cancellationSignal, (client) =>
        reconcileHour(client, {
          hourMs: hourMsOf(hour),
          generation,
          against,
          policy: deps.reconcile,
          madeBy: info.workflowExecution?.workflowId ?? 'unknown',
        }),
      );
      return outcome;
    });
}
