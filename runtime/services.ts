import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Config } from './config.js';
import { kafkaClientOptions } from './kafka-options.js';
import { postgresPoolOptions } from './postgres-options.js';
import { configuredRuleSet, releaseMigrations } from './database.js';
import { assertKafkaAccepts } from './kafka-contact.js';
import { assertPostgresAccepts } from './postgres-contact.js';
import { observed } from './observed-service.js';

/** A service that runs in this process. */
export interface RunningService {
  /** Where its /metrics and /health are. */
  readonly url: string;
  /** Settles when it ends: rejects when it failed for good. */
  readonly done: Promise<void>;
  /** Ends it in its orderly way; `done` resolves after it. */
  stop(): Promise<void>;
}

export type ServiceName = 'stream' | 'archive' | 'worker' | 'api' | 'collect';

type Start = (config: Config, log: Logger) => Promise<RunningService>;

/** How each service is put together. What it needs is loaded only when it is the one to run. */
export const SERVICES: Readonly<Record<ServiceName, Start>> = {
  stream: runStream,
  archive: async (config, log) => (await import('./archive-service.js')).runArchive(config, log),
  worker: async (config, log) =>
    (await import('./temporal/worker-service.js')).runWorker(config, log),
  api: runApi,
  collect: runCollect,
};

async function runStream(config: Config, log: Logger): Promise<RunningService> {
  const { startStream } = await import('../stream/service.js');
  await Promise.all([assertPostgresAccepts(config), assertKafkaAccepts(config)]);
  const ruleSet = configuredRuleSet(config);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const { connectionString = '' } = postgresPoolOptions(config);
  const service = startStream({
    owner: `${hostname()}:${String(process.pid)}`,
    postgres: { connectionString },
    kafka: kafkaClientOptions(config),
    groupId: config.groupId,
    topics: config.topics,
    ruleSet,
    sessionTimeoutMs: config.stream.sessionTimeoutMs,
    flushIntervalMs: config.stream.flushIntervalMs,
    flushClicksMax: config.stream.flushClicksMax,
    dedupeBytesMax: config.stream.dedupeBytesMax,
    registry,
    log,
  });
  return observed(service, config, registry);
}

async function runApi(config: Config): Promise<RunningService> {
  const { startApi } = await import('../api/service.js');
  const { rulePuts } = await import('./rules/put-rules.js');
  const { TrialRuns } = await import('./rules/trial-runs.js');
  const { oneAtATime, verifyCell } = await import('./verify-cell.js');
  const { TemporalReplays } = await import('./temporal/replay-control.js');
  const replays = config.temporalAddress === undefined ? undefined : new TemporalReplays(config);
  const trials = new TrialRuns();
  const api = await startApi(config, releaseMigrations(), {
    verifyCell: oneAtATime((reader, cell, max) => verifyCell(config, reader, cell, max)),
    putRules: rulePuts(config),
    tryRules: (order) => trials.run(order),
    ...(replays === undefined ? {} : { replays }),
  });
  return untilClosed(api.url, async () => {
    trials.close();
    await api.close();
    await replays?.close();
  });
}

async function runCollect(config: Config, log: Logger): Promise<RunningService> {
  const { startCollector } = await import('../collect/service.js');
  const { createKafka } = await import('./kafka-client.js');
  await assertKafkaAccepts(config);
  const collector = await startCollector({
    settings: config.collect,
    kafka: createKafka(kafkaClientOptions(config)),
    topic: config.topics[0]!,
    log,
  });
  return untilClosed(collector.url, () => collector.close());
}

/** A service that ends only when it is told to. */
function untilClosed(url: string, close: () => Promise<void>): RunningService {
  let ended = (): void => undefined;
  const done = new Promise<void>((resolve) => (ended = resolve));
  return {
    url,
    done,
    async stop() {
      await close();
      ended();
    },
  };
}
