import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { scratchFolder } from './end-by-signal.js';
import { loadConfig, type Config } from '../../runtime/config.js';
import { postgresPoolOptions } from '../../runtime/postgres-options.js';
import { prepareDatabase } from '../../runtime/database.js';
import { asEnvironment } from '../../runtime/describe-config.js';
import type { Running } from '../../runtime/stack/component.js';
import { startKafka } from '../../runtime/stack/kafka.js';
import { startPostgres } from '../../runtime/stack/postgres.js';
import { freePort } from '../../runtime/stack/ports.js';
import { ensureTopics } from '../../runtime/topics.js';

/**
 * The broker's default. The stack of truecount sets 0 to start faster; here two members that start
 * together are to be given their partitions once, in every contestant alike.
 */
const REBALANCE_DELAY_MS = 3_000;

/** A Postgres and a Kafka of the benchmark's own, in a temporary folder, with default settings. */
export class World {
  readonly pool: pg.Pool;
  private runs = 0;

  private constructor(
    readonly base: Config,
    readonly postgres: Running,
    private broker: Running,
    private readonly dir: string,
  ) {
    this.pool = new pg.Pool({ ...postgresPoolOptions(base), max: 2 });
  }

  static async start(topic: string): Promise<World> {
    const dir = scratchFolder();
    const postgres = await startPostgres({ dir: join(dir, 'postgres') });
    const kafka = await startBroker(dir);
    const flags = {
      home: dir,
      postgresUrl: postgres.address,
      'kafka.brokers': [kafka.address],
      topics: [topic],
      'api.port': await freePort(),
      'collect.port': await freePort(),
    };
    const { config } = loadConfig({ flags, env: {}, useStack: false });
    await ensureTopics(config);
    return new World(config, postgres, kafka, dir);
  }

  get kafka(): Running {
    return this.broker;
  }

  /** A crash of the broker; `restartKafka` starts it again with the same address and data. */
  killKafka(): void {
    process.kill(this.broker.pid, 'SIGKILL');
  }

  async restartKafka(): Promise<void> {
    this.broker = await startBroker(this.dir);
  }

  /** An empty schema of truecount's and a consumer group that nobody has used. */
  async fresh(): Promise<Config> {
    await this.pool.query('drop schema public cascade');
    await this.pool.query('create schema public');
    await prepareDatabase(this.base);
    await this.pool.query('checkpoint');
    return { ...this.base, groupId: `bench-${String(++this.runs)}` };
  }

  client(): Kafka {
    return new Kafka({ brokers: [this.kafka.address], logLevel: logLevel.NOTHING });
  }

  async stop(): Promise<void> {
    await this.pool.end();
    await this.kafka.stop();
    await this.postgres.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function startBroker(dir: string): Promise<Running> {
  const settings = { 'group.initial.rebalance.delay.ms': String(REBALANCE_DELAY_MS) };
  return startKafka({ dir: join(dir, 'kafka'), settings });
}

/** The environment of a service's process. */
export function serviceEnvironment(config: Config): NodeJS.ProcessEnv {
  return { ...process.env, ...asEnvironment(config), TRUECOUNT_METRICS_PORT: '0' };
}
