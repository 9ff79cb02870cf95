import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { openLake } from '../lake/open.js';
import { startArchive } from '../stream/archive/service.js';
import type { Config } from './config.js';
import { kafkaClientOptions, postgresPoolOptions } from './connections.js';
import { assertKafkaAccepts, assertPostgresAccepts } from './first-contact.js';
import { startMetricsServer } from './metrics-server.js';
import type { RunningService } from './services.js';

/** Puts the archiver together. */
export async function runArchive(config: Config, log: Logger): Promise<RunningService> {
  const lake = openLake(config.lakeUrl);
  await Promise.all([assertPostgresAccepts(config), assertKafkaAccepts(config)]);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const { connectionString = '' } = postgresPoolOptions(config);
  const { brokers, ssl, sasl, clientId } = kafkaClientOptions(config);
  const service = await startArchive({
    ...config.archive,
    owner: `${hostname()}:${String(process.pid)}`,
    postgres: { connectionString },
    lake,
    workFolder: join(config.home, 'work'),
    kafka: {
      brokers,
      ...(ssl === undefined ? {} : { ssl }),
      ...(sasl === undefined ? {} : { sasl }),
      ...(clientId === undefined ? {} : { clientId }),
    },
    topics: config.topics,
    sessionTimeoutMs: config.stream.sessionTimeoutMs,
    registry,
    log,
  });
  let failure: string | undefined;
  service.done.catch((error: unknown) => {
    failure = String(error);
  });
  const metrics = await startMetricsServer({
    ...config.metrics,
    registry,
    ready: () => failure ?? service.problem(),
  });
  return {
    url: metrics.url,
    done: service.done,
    async stop() {
      await service.stop();
      await metrics.close();
    },
  };
}
