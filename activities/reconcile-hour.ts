import { Context } from '@temporalio/activity';
import type pg from 'pg';
import { TruecountError } from '../core/errors.js';
import { hourStates } from '../store/generations/hours.js';
import { reconcileHour } from '../store/reconcile/reconcile.js';
import type { Activities } from '../workflows/activity-contract.js';
import type { HourText, ReconcileHourInput, ReconcileHourResult } from '../workflows/contract.js';
import { hourMsOf } from '../workflows/input.js';
import type { ActivityDeps } from './deps.js';
import { withSignsOfLife } from './signs-of-life.js';
import { tellHold } from './tell-decisions.js';

/** Diffs a generation and keeps the report; run again, it keeps another of the same diff. */
export function reconcileHourActivity(deps: ActivityDeps): Activities['reconcileHour'] {
  return (input) =>
    withSignsOfLife(async () => {
      const { info, cancellationSignal } = Context.current();
      const madeBy = `${info.workflowType ?? 'nobody'} ${info.workflowExecution?.workflowId ?? ''}`;
      const result = await deps.longSession(cancellationSignal, (client) =>
        reconcile(client, input, { policy: deps.reconcile, madeBy }),
      );
      tellHold(result);
      return result;
    });
}

async function reconcile(
  client: pg.Client,
  { hour, generation, against }: ReconcileHourInput,
  how: Pick<Parameters<typeof reconcileHour>[1], 'policy' | 'madeBy'>,
): Promise<ReconcileHourResult> {
  const hourMs = hourMsOf(hour);
  const before = await servedNow(client, hour);
  const base = against ?? (before.served === null ? 'live' : 'served');
  const outcome = await reconcileHour(client, { hourMs, generation, against: base, ...how });
  if (outcome.revision !== before.revision) {
    throw new TruecountError('not_ready', `${hour} was published while it was being compared`);
  }
  const { id, cellsDiffer, drift, decision, reason, revision, unchanged } = outcome;
  const { served } = before;
  const compared = { cellsDiffer, drift, decision, reason, revision, unchanged, served };
  return { hour, reconciliation: id, generation, ...compared };
}

async function servedNow(
  client: pg.Client,
  hour: HourText,
): Promise<{ readonly revision: number; readonly served: number | null }> {
  const [standing] = await hourStates(client, [hourMsOf(hour)]);
  if (standing === undefined) {
    throw new TruecountError('not_found', `nothing was counted into ${hour} yet`);
  }
  return { revision: standing.revision, served: standing.served?.id ?? null };
}
