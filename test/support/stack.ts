import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { inject } from 'vitest';
import { createTopics } from '../../runtime/create-topics.js';

/**
 * What integration tests share: one Postgres and one Kafka per run (global-setup.ts). A test takes
 * its own database and its own topics, so tests do not see each other.
 */
export interface TestDatabase {
  readonly url: string;
  /** Ready to use; at most 10 connections. */
  readonly pool: pg.Pool;
  /** Ends the pool. The database itself goes with the run. */
  close(): Promise<void>;
}

let databases = 0;

/** A new migrated database of its own, copied from a template. */
export async function freshDatabase(): Promise<TestDatabase> {
  const base = inject('postgresUrl');
  const template = inject('templateDatabase');
  const name = `${template}_${String(process.pid)}_${String(++databases)}`;
  const admin = new pg.Client({ connectionString: base });
  await admin.connect();
  try {
    // One copy at a time: Postgres refuses a template that another session is connected to.
    await admin.query('select pg_advisory_lock(hashtext($1))', [template]);
    await admin.query(`create database ${name} template ${template}`);
  } finally {
    await admin.end();
  }
  const url = new URL(base);
  url.pathname = `/${name}`;
  const pool = new pg.Pool({ connectionString: url.toString(), max: 10 });
  pool.on('error', () => undefined); // a connection that is cut is reported by its next query
  return { url: url.toString(), pool, close: () => pool.end() };
}

/** host:port of the shared broker. */
export function kafkaBrokers(): string[] {
  return inject('kafkaBrokers');
}

/** A client of the shared broker that keeps its warnings to itself. */
export function testKafka(clientId = 'test'): Kafka {
  return new Kafka({ brokers: kafkaBrokers(), clientId, logLevel: logLevel.NOTHING });
}

let topics = 0;

function newTopicName(): string {
  return `clicks-${String(process.pid)}-${String(Date.now())}-${String(++topics)}`;
}

/**
 * A new empty topic with broker append time, like those that truecount makes. `settings` are topic
 * configuration over that, such as `{'retention.ms': '1000'}`. By default its name is new as well.
 */
export async function freshTopic(
  partitions = 1,
  settings: Readonly<Record<string, string>> = {},
  topic = newTopicName(),
): Promise<string> {
  const all = { 'message.timestamp.type': 'LogAppendTime', ...settings };
  const configEntries = Object.entries(all).map(([name, value]) => ({ name, value }));
  const made = { topic, numPartitions: partitions, replicationFactor: -1, configEntries };
  await createTopics(testKafka(), [made]);
  return topic;
}
