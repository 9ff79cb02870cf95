import { ActivityCancellationType, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { ActivityInterfaceFor } from '@temporalio/workflow';
import type { Activities, TaskActivities } from './activity-contract.js';
import { tasksOf } from './contract.js';

/**
 * How activities are called, by profile. Passing trouble (Postgres away, a lost worker) is retried
 * until `scheduleToCloseTimeout`; what would fail again for ever says so itself (non-retryable).
 */
const PASSING = {
  initialInterval: '500ms',
  backoffCoefficient: 2,
  maximumInterval: '15s',
} as const;

/** Signs of life come every second from a task and every 4 s from the rest. */
const HEARTBEAT = '15s';

/**
 * A cancelled run waits until what it has begun has ended: else a task would go on without it, and
 * leave behind what the run has just tidied up. The SDK's default is not to wait, whatever its
 * documentation says (1.24.0).
 */
const UNTIL_ENDED = { cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED };

/** Short questions and steps in Postgres: the work of a worker that died is taken up soon. */
export const short = proxyActivities<Activities>({
  startToCloseTimeout: '20s',
  scheduleToCloseTimeout: '30m',
  retry: PASSING,
});

/** A diff of a whole hour, and the sweep: minutes, with a sign of life. */
export const long = proxyActivities<Activities>({
  startToCloseTimeout: '15m',
  heartbeatTimeout: HEARTBEAT,
  scheduleToCloseTimeout: '1h',
  retry: PASSING,
  ...UNTIL_ENDED,
});

/** Heavy tasks, on the queue whose workers take only as many as they have room for. */
export function heavy(): ActivityInterfaceFor<TaskActivities> {
  return proxyActivities<TaskActivities>({
    taskQueue: tasksOf(workflowInfo().taskQueue),
    startToCloseTimeout: '2h',
    heartbeatTimeout: HEARTBEAT,
    scheduleToCloseTimeout: '12h',
    retry: PASSING,
    ...UNTIL_ENDED,
  });
}

/** Tidying up: what it leaves, the next sweep takes. */
export const tidy = proxyActivities<Activities>({
  startToCloseTimeout: '5m',
  heartbeatTimeout: HEARTBEAT,
  retry: { ...PASSING, maximumAttempts: 3 },
});

/** Asks again and again, holding no worker in between, until it is so or the time is over. */
export function waiting(timeoutMs: number): ActivityInterfaceFor<Activities> {
  return proxyActivities<Activities>({
    startToCloseTimeout: '30s',
    scheduleToCloseTimeout: timeoutMs,
    retry: { initialInterval: '1s', backoffCoefficient: 1.2, maximumInterval: '5s' },
  });
}
