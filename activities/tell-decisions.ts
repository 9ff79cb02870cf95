import { Context } from '@temporalio/activity';
import type pg from 'pg';
import { formatTime } from '../core/range.js';
import { alertsAmong } from '../store/reconcile/alerts.js';
import { TOLD_MAX } from '../workflows/contract.js';
import type { PublishHour, ReconcileHourResult } from '../workflows/contract.js';
import type { ActivityDeps } from './deps.js';

/**
 * Says aloud which hours have just been published with an alert: an error in the log each, and the
 * metric. It comes after the commit, also in an attempt that finds its entry there: rather twice than
 * never.
 */
export async function tellAlerts(
  client: pg.ClientBase,
  hours: readonly Pick<PublishHour, 'reconciliation'>[],
  alerted: ActivityDeps['alerted'],
): Promise<void> {
  const decidedBy = hours.flatMap(({ reconciliation }) => reconciliation ?? []);
  const alerts = await alertsAmong(client, decidedBy);
  if (alerts.length === 0) return;
  const { log, info } = Context.current();
  alerted(info.workflowType ?? 'none', alerts.length);
  for (const { hourMs, cellsDiffer, reason, reconciliation } of alerts.slice(0, TOLD_MAX)) {
    log.error(
      `${formatTime(hourMs)} was published with an alert: ${reason} ` +
        `(${String(cellsDiffer)} cells differ, reconciliation ${String(reconciliation)})`,
    );
  }
  const more = alerts.length - TOLD_MAX;
  if (more > 0) log.error(`${String(more)} more hours were published with an alert`);
}

/** Says aloud that an hour waits for a person. */
export function tellHold({ hour, decision, reason, reconciliation }: ReconcileHourResult): void {
  if (decision !== 'hold') return;
  Context.current().log.warn(
    `${hour} is held for a person: ${reason} (reconciliation ${String(reconciliation)})`,
  );
}
