import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { inject } from 'vitest';
import { createTopics } from '../../../runtime/create-topics.js';
import { packageFile } from '../../../runtime/package-root.js';
import type { Running } from '../../../runtime/stack/component.js';
import { startKafka } from '../../../runtime/stack/kafka.js';
import { startPostgres } from '../../../runtime/stack/postgres.js';
import { gone, processRef, signal } from '../../../runtime/stack/process.js';
import { migrate, readMigrations } from '../../../store/migrate.js';
import { freshDatabase } from '../stack.js';

/** Which servers a fault hits: those are the test's own, started with all their safety on. */
export type OwnServer = 'none' | 'postgres' | 'kafka';

/** Where the load goes and the counts come from. */
export interface Servers {
  readonly postgresUrl: string;
  readonly brokers: readonly string[];
  readonly pool: pg.Pool;
  /** An empty folder that goes with the servers. */
  readonly home: string;
  /** Ends the test's own server at once: a crash. */
  crash(name: NodeJS.Signals): Promise<void>;
  restart(): Promise<void>;
  close(): Promise<void>;
}

export async function openServers(own: OwnServer): Promise<Servers> {
  // The prefix and owner.json: what a killed run leaves is swept by the next (global-setup.ts).
  const home = mkdtempSync(join(tmpdir(), 'truecount-test-'));
  writeFileSync(join(home, 'owner.json'), JSON.stringify(processRef(process.pid)));
  const start = (): Promise<Running> =>
    own === 'kafka'
      ? startKafka({ dir: join(home, 'kafka'), heapMegabytes: 256 })
      : startPostgres({ dir: join(home, 'postgres') });
  let server = own === 'none' ? undefined : await start();
  const shared = own === 'postgres' ? undefined : await freshDatabase();
  const pool =
    shared?.pool ??
    new pg.Pool({ connectionString: server?.address, connectionTimeoutMillis: 5_000 });
  pool.on('error', () => undefined); // a connection that is cut is reported by its next query
  if (own === 'postgres') await migrateNew(server!.address);
  return {
    postgresUrl: shared?.url ?? server!.address,
    brokers: own === 'kafka' ? [server!.address] : inject('kafkaBrokers'),
    pool,
    home,
    async crash(name) {
      const { process: ref } = server!;
      signal(ref, name);
      if (!(await gone(ref, 20_000))) throw new Error(`${own} survived ${name}`);
    },
    async restart() {
      server = await start();
    },
    async close() {
      await pool.end();
      await server?.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function migrateNew(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await migrate(client, readMigrations(packageFile('db', 'migrations')));
  } finally {
    await client.end();
  }
}

let topics = 0;

/** A new topic with broker append time. */
export async function createTopic(brokers: readonly string[], partitions: number): Promise<string> {
  const topic = `faults-${String(process.pid)}-${String(Date.now())}-${String(++topics)}`;
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const configEntries = [{ name: 'message.timestamp.type', value: 'LogAppendTime' }];
  await createTopics(kafka, [{ topic, numPartitions: partitions, configEntries }]);
  return topic;
}
