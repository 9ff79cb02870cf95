import type { Logger } from 'pino';
import { collectDefaultMetrics } from 'prom-client';
import type { Config } from '../config.js';
import { assertPostgresAccepts } from '../postgres-contact.js';
import { observed } from '../observed-service.js';
import type { RunningService } from '../services.js';
import { createTaskRunner } from '../task-runner.js';
import { activityDeps } from './activity-deps.js';
import { alertCounter } from './settle-metrics.js';
import { installSdkRuntime } from './sdk-runtime.js';
import { startWorkerService } from './service.js';

/** Puts the Temporal worker together. */
export async function runWorker(config: Config, log: Logger): Promise<RunningService> {
  const tasks = createTaskRunner(config);
  await assertPostgresAccepts(config);
  const registry = await installSdkRuntime(log);
  collectDefaultMetrics({ register: registry });
  const alerts = alertCounter(registry);
  const deps = activityDeps(config, tasks, (workflow, hours) => {
    alerts.inc({ workflow }, hours);
  });
  const service = startWorkerService({ config, deps, registry, log });
  return observed(service, config, registry);
}
