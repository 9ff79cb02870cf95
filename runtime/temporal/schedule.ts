import { ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import type { Client, ScheduleOptions } from '@temporalio/client';
import { SETTLE_SCHEDULE_ID } from '../../workflows/contract.js';
import { SETTLE_START } from '../../workflows/start-options.js';
import type { Config } from '../config.js';

/** A settlement that has not ended by then is stuck; the next one begins anew. */
export const SETTLE_TIMEOUT_MS = 6 * 3_600_000;
const CATCHUP_INTERVALS = 3;

/**
 * The schedule that settles due hours. A tick is skipped while a settlement runs: each asks what is
 * due, so none is needed for a certain time, and what a server that was down has missed longer ago
 * than three intervals needs no catching up.
 */
export function settleSchedule(config: Pick<Config, 'settle'>): ScheduleOptions {
  const { intervalMs } = config.settle;
  const { workflowType, workflowId, taskQueue, staticSummary, staticDetails } = SETTLE_START;
  return {
    scheduleId: SETTLE_SCHEDULE_ID,
    spec: { intervals: [{ every: intervalMs }] },
    action: {
      type: 'startWorkflow',
      workflowType,
      workflowId,
      taskQueue,
      args: [{}],
      workflowExecutionTimeout: SETTLE_TIMEOUT_MS,
      staticSummary,
      staticDetails,
    },
    policies: {
      overlap: ScheduleOverlapPolicy.SKIP,
      catchupWindow: Math.max(CATCHUP_INTERVALS * intervalMs, 10_000),
      pauseOnFailure: false,
    },
  };
}

/** Makes the schedule as it is configured; one that is there is changed, and stays paused if it is. */
export async function ensureSchedule(client: Client, config: Config): Promise<void> {
  const wanted = settleSchedule(config);
  try {
    await client.schedule.create(wanted);
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    const { spec, action, policies } = wanted;
    const handle = client.schedule.getHandle(SETTLE_SCHEDULE_ID);
    await handle.update(({ state, typedSearchAttributes }) => ({
      spec,
      action,
      policies: policies!,
      state,
      typedSearchAttributes,
    }));
  }
}
