import { Context } from '@temporalio/activity';
import { recordFailures } from '../store/generations/failures.js';
import type { Activities } from '../workflows/activity-contract.js';
import { hourMsOf } from '../workflows/input.js';
import type { ActivityDeps } from './deps.js';

/** Characters of an error that are kept. */
const ERROR_MAX = 2_000;

/** Which hours failed, and why. All attempts have the time at which the first was asked for. */
export function recordFailuresActivity({ session }: ActivityDeps): Activities['recordFailures'] {
  return ({ failed, done }) =>
    session(async (client) => {
      const { workflowExecution, scheduledTimestampMs } = Context.current().info;
      const { workflowId = 'none', runId = 'none' } = workflowExecution ?? {};
      await recordFailures(client, {
        failed: failed.map(({ hour, error }) => ({ hourMs: hourMsOf(hour), error: kept(error) })),
        done: done.map(hourMsOf),
        atMs: scheduledTimestampMs,
        workflowId,
        runId,
      });
    });
}

/** Postgres refuses a NUL in a text. */
function kept(error: string): string {
  return error.slice(0, ERROR_MAX).replaceAll('\0', '\ufffd');
}
