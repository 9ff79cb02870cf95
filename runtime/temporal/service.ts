import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { ActivityDeps } from '../../activities/deps.js';
import { TruecountError } from '../../core/errors.js';
import { readAttention } from '../../store/read/attention.js';
import type { Config } from '../config.js';
import { openTemporal, type TemporalConnection } from './client.js';
import { ensureSchedule } from './schedule.js';
import { ensureSearchAttributes } from './search-attributes.js';
import { settleGauges } from './settle-metrics.js';
import { readSettleFacts, settleAlarm } from './settle-watch.js';
import { createWorkers, type TemporalWorkers } from './worker.js';

const RETRY_MS = 1_000;

/** The workers of this process, with the schedule and the watch over it. */
export interface WorkerService {
  /** Settles when it ends: rejects when it failed for good. */
  readonly done: Promise<void>;
  /** Why it does no work now; undefined when it does. */
  problem(): string | undefined;
  stop(): Promise<void>;
}

/**
 * Starts the workers as soon as Temporal answers, and waits for it as long as it takes. What of the
 * namespace they need (search attributes, the schedule) is made first.
 */
export function startWorkerService(options: {
  config: Config;
  deps: ActivityDeps;
  registry: Registry;
  log: Logger;
}): WorkerService {
  const { config, deps, registry, log } = options;
  const stopping = new AbortController();
  let problem: string | undefined = 'is starting';
  let workers: TemporalWorkers | undefined;
  const run = async (): Promise<void> => {
    const temporal = await patiently(
      stopping.signal,
      (error) => {
        problem = error.message;
        log.warn({ err: error }, 'Temporal is away; trying again');
      },
      () => prepare(config),
    );
    if (temporal === undefined) return;
    const watch = watchSettle(temporal, { config, deps, registry, log });
    try {
      workers = await createWorkers(config, deps);
      problem = undefined;
      if (!stopping.signal.aborted) await workers.run();
    } finally {
      problem ??= 'has ended';
      watch.stop();
      await temporal.close();
    }
  };
  const done = run();
  return {
    done,
    problem: () => problem,
    async stop() {
      stopping.abort();
      workers?.stop();
      await done;
    },
  };
}

async function prepare(config: Config): Promise<TemporalConnection> {
  const temporal = await openTemporal(config);
  try {
    await ensureSearchAttributes(temporal, config.temporal.namespace);
    await ensureSchedule(temporal.client, config);
    return temporal;
  } catch (error) {
    await temporal.close();
    throw error;
  }
}

/** Tries until it succeeds or is stopped; a conflict or a wrong setting does not pass. */
async function patiently<T>(
  signal: AbortSignal,
  onFailure: (error: Error) => void,
  attempt: () => Promise<T>,
): Promise<T | undefined> {
  while (!signal.aborted) {
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof TruecountError && error.code === 'conflict') throw error;
      onFailure(error instanceof Error ? error : new Error(String(error)));
      await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
  return undefined;
}

/**
 * Looks once per interval whether settlements succeed, and what they leave to people: metrics, and a
 * log line when somebody should look.
 */
function watchSettle(
  { client }: TemporalConnection,
  options: { config: Config; deps: ActivityDeps; registry: Registry; log: Logger },
): { stop(): void } {
  const { config, deps, registry, log } = options;
  const { intervalMs } = config.settle;
  const gauges = settleGauges(registry);
  const lookAtSchedule = async (): Promise<void> => {
    const facts = await readSettleFacts(client, intervalMs);
    gauges.showFacts(facts);
    const why = settleAlarm(facts);
    if (why !== undefined) log.error({ ...facts }, `settle: ${why}`);
  };
  const lookAtHours = async (): Promise<void> => {
    gauges.showAttention(await deps.session((pg) => readAttention(pg, Date.now())));
  };
  const look = (): void => {
    lookAtSchedule().catch((error: unknown) => {
      log.warn({ err: error }, 'the schedule could not be looked at');
    });
    lookAtHours().catch((error: unknown) => {
      log.warn({ err: error }, 'the hours that wait for a person could not be counted');
    });
  };
  const timer = setInterval(look, intervalMs);
  look();
  return {
    stop: () => {
      clearInterval(timer);
    },
  };
}
