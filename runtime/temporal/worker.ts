import { hostname } from 'node:os';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { WorkerOptions } from '@temporalio/worker';
import { createActivities, createTaskActivities } from '../../activities/create.js';
import type { ActivityDeps } from '../../activities/deps.js';
import { REPLAY_QUEUE, SETTLE_QUEUE, tasksOf } from '../../workflows/contract.js';
import type { Config } from '../config.js';
import { workflowBundle } from './bundle.js';
import { temporalAddress } from './client.js';

/** Short activities of one queue at the same time; they mostly wait for Postgres. */
const SHORT_ACTIVITIES = 8;
/** Workflows kept in memory between their tasks, per queue. */
const CACHED_WORKFLOWS = 200;
/** How often a sign of life is passed on; well below the heartbeat timeouts. */
const HEARTBEAT_MS = 4_000;
/** Activities in work have this long when the worker is told to stop; then they are cancelled. */
const GRACE_MS = 3_000;

/** The workers of one process: all of its task queues. */
export interface TemporalWorkers {
  /** Rejects if one of them fails for good; resolves when all have stopped. */
  run(): Promise<void>;
  stop(): void;
}

/**
 * Workers for both workflow queues, each with one for its heavy tasks, of which `batch.tasks` run side
 * by side.
 * @throws Error if Temporal does not answer
 */
export async function createWorkers(
  config: Config,
  deps: ActivityDeps,
  identity = `worker@${hostname()}#${String(process.pid)}`,
): Promise<TemporalWorkers> {
  const connection = await NativeConnection.connect({ address: temporalAddress(config) });
  const common: Omit<WorkerOptions, 'taskQueue'> = {
    connection,
    namespace: config.temporal.namespace,
    identity,
    shutdownGraceTime: GRACE_MS,
    shutdownForceTime: config.stream.shutdownTimeoutMs,
    maxHeartbeatThrottleInterval: HEARTBEAT_MS,
    defaultHeartbeatThrottleInterval: HEARTBEAT_MS,
  };
  const workers: Worker[] = [];
  try {
    const bundle = await workflowBundle();
    for (const taskQueue of [SETTLE_QUEUE, REPLAY_QUEUE]) {
      workers.push(
        await Worker.create({
          ...common,
          taskQueue,
          workflowBundle: bundle,
          activities: createActivities(deps),
          maxConcurrentActivityTaskExecutions: SHORT_ACTIVITIES,
          maxCachedWorkflows: CACHED_WORKFLOWS,
        }),
        await Worker.create({
          ...common,
          taskQueue: tasksOf(taskQueue),
          activities: createTaskActivities(deps),
          maxConcurrentActivityTaskExecutions: config.batch.tasks,
        }),
      );
    }
  } catch (error) {
    await connection.close();
    throw error;
  }
  return {
    async run() {
      const runs = workers.map((worker) => worker.run());
      try {
        await Promise.all(runs);
      } finally {
        stopAll(workers);
        await Promise.allSettled(runs);
        await connection.close();
      }
    },
    stop: () => {
      stopAll(workers);
    },
  };
}

function stopAll(workers: readonly Worker[]): void {
  for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
}
