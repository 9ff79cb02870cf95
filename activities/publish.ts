import { Context } from '@temporalio/activity';
import { formatTime } from '../core/range.js';
import { examinedCut } from '../store/publish/examined.js';
import { publish } from '../store/publish/publish.js';
import type { Activities } from '../workflows/activity-contract.js';
import { hourMsOf } from '../workflows/input.js';
import type { ActivityDeps } from './deps.js';
import { tellAlerts } from './tell-decisions.js';

/**
 * One entry of the ledger. Its request is named by the run and the step: an attempt whose answer was
 * lost finds its own entry.
 */
export function publishActivity({ session, alerted }: ActivityDeps): Activities['publish'] {
  return ({ step, kind, hours, actor, reason, automatic }) =>
    session(async (client) => {
      const { workflowId = 'none', runId = 'none' } =
        Context.current().info.workflowExecution ?? {};
      const wanted = [];
      for (const { hour, generation, expectedRevision, reconciliation, examinedBy } of hours) {
        const by = examinedBy ?? generation;
        wanted.push({
          hourMs: hourMsOf(hour),
          generation,
          expectedRevision,
          reconciliation: reconciliation ?? null,
          ...(kind === 'confirm'
            ? { examined: await examinedCut(client, generation, by), examinedBy: by }
            : {}),
        });
      }
      const made = await publish(client, {
        request: `${workflowId} ${runId} ${step}`,
        kind,
        hours: wanted,
        actor,
        reason,
        automatic: automatic === true,
      });
      if (kind === 'publish') await tellAlerts(client, hours, alerted);
      return {
        publication: made.publication,
        hours: made.hours.map(({ hourMs, revision }) => ({ hour: formatTime(hourMs), revision })),
      };
    });
}
