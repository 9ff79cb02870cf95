import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { openLake } from '../lake/open.js';
import { startArchive } from '../stream/archive/service.js';
import type { Config } from './config.js';
import { kafkaClientOptions } from './kafka-options.js';
import { postgresPoolOptions } from './postgres-options.js';
import { assertKafkaAccepts } from './kafka-contact.js';
import { assertPostgresAccepts } from './postgres-contact.js';
import { observed } from './observed-service.js';
import type { RunningService } from './services.js';

/** Puts the archiver together. */
export async function runArchive(config: Config, log: Logger): Promise<RunningService> {
  const lake = openLake(config.lakeUrl);
  await Promise.all([assertPostgresAccepts(config), assertKafkaAccepts(config)]);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const { connectionString = '' } = postgresPoolOptions(config);
  const service = await startArchive({
    ...config.archive,
    owner: `${hostname()}:${String(process.pid)}`,
    postgres: { connectionString },
    lake,
    workFolder: join(config.home, 'work'),
    kafka: kafkaClientOptions(config),
    topics: config.topics,
    sessionTimeoutMs: config.stream.sessionTimeoutMs,
    registry,
    log,
  });
  return observed(service, config, registry);
}
