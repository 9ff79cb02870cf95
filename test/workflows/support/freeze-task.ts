import type { WorkflowHandle } from '@temporalio/client';
import { onTestFinished } from 'vitest';
import { taskProcessesOf } from '../../support/faults/task-processes.js';
import { until } from '../../support/until.js';
import type { WorkerProcess } from './rig.js';

const TASKS = ['aggregateTask', 'loadGeneration'];

/**
 * Freezes the process of a task of the worker in the middle, and sees that the server knows the task,
 * of one of these runs, to be running. Returns its pid; what is frozen still dies with the test.
 */
export async function freezeTask(
  worker: WorkerProcess,
  handles: readonly Pick<WorkflowHandle, 'describe'>[],
): Promise<number> {
  const pid = await until(
    'a task of the worker runs',
    () => {
      const [found] = taskProcessesOf(worker.pid, 'busy');
      if (found !== undefined) process.kill(found, 'SIGSTOP');
      return found;
    },
    { everyMs: 5, deadlineMs: 60_000 },
  );
  onTestFinished(() => {
    if (taskProcessesOf(worker.pid).includes(pid)) process.kill(pid, 'SIGKILL');
  });
  await until('the server knows of it', async () => {
    const described = await Promise.all(handles.map((handle) => handle.describe()));
    return described
      .flatMap(({ raw }) => raw.pendingActivities ?? [])
      .some(
        (activity) =>
          TASKS.includes(activity.activityType?.name ?? '') &&
          activity.lastWorkerIdentity?.endsWith(worker.identitySuffix) === true &&
          Number(activity.state) === 2, // PENDING_ACTIVITY_STATE_STARTED
      );
  });
  return pid;
}
