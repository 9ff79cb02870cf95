import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { packageFile } from '../../runtime/package-root.js';
import type { Running } from '../../runtime/stack/component.js';
import { startKafka } from '../../runtime/stack/kafka.js';
import { startPostgres } from '../../runtime/stack/postgres.js';
import { isRunning, processRef, type ProcessRef } from '../../runtime/stack/process.js';
import { migrate, readMigrations } from '../../store/migrate.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** A superuser's URL of the server that all integration tests of a run share. */
    postgresUrl: string;
    /** Name of the migrated database that `freshDatabase` copies. */
    templateDatabase: string;
    kafkaBrokers: string[];
  }
}

const PREFIX = 'truecount-test-';

/**
 * One Postgres and one Kafka for the integration tests of a run, in a temporary folder on free
 * ports; an address in the environment wins. No crash of them may be tested (fsync is off): such
 * tests start their own. What a killed run left behind is ended and removed first.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await sweepLeftovers();
  const dir = mkdtempSync(join(tmpdir(), PREFIX));
  writeFileSync(join(dir, 'owner.json'), JSON.stringify(processRef(process.pid)));
  const started: Running[] = [];
  const stop = async (): Promise<void> => {
    for (const component of started.reverse()) await component.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const [postgresUrl, brokers] = await Promise.all([postgres(dir, started), kafka(dir, started)]);
    const template = `truecount_test_${String(process.pid)}_${String(Date.now())}`;
    await makeTemplate(postgresUrl, template);
    project.provide('postgresUrl', postgresUrl);
    project.provide('templateDatabase', template);
    project.provide('kafkaBrokers', brokers);
    return async () => {
      await dropDatabases(postgresUrl, template);
      await stop();
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function postgres(dir: string, started: Running[]): Promise<string> {
  const given = process.env['TRUECOUNT_POSTGRES_URL'];
  if (given !== undefined) return given;
  const settings = { fsync: 'off', full_page_writes: 'off', max_connections: '200' };
  const server = await startPostgres({ dir: join(dir, 'postgres'), settings, log: console.log });
  started.push(server);
  return server.address;
}

async function kafka(dir: string, started: Running[]): Promise<string[]> {
  const given = process.env['TRUECOUNT_KAFKA_BROKERS'];
  if (given !== undefined) return given.split(',');
  const broker = await startKafka({ dir: join(dir, 'kafka'), log: console.log });
  started.push(broker);
  return [broker.address];
}

async function makeTemplate(url: string, name: string): Promise<void> {
  await withClient(url, undefined, (client) => client.query(`create database ${name}`));
  await withClient(url, name, (client) =>
    migrate(client, readMigrations(packageFile('db', 'migrations'))),
  );
}

async function dropDatabases(url: string, template: string): Promise<void> {
  await withClient(url, undefined, async (client) => {
    const found = await client.query<{ datname: string }>(
      'select datname from pg_database where starts_with(datname, $1)',
      [template],
    );
    for (const { datname } of found.rows)
      await client.query(`drop database ${datname} with (force)`);
  });
}

async function withClient<T>(
  url: string,
  database: string | undefined,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const target = new URL(url);
  if (database !== undefined) target.pathname = `/${database}`;
  const client = new pg.Client({ connectionString: target.toString() });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

async function sweepLeftovers(): Promise<void> {
  mkdirSync(tmpdir(), { recursive: true });
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(PREFIX))) {
    const dir = join(tmpdir(), name);
    const owner = readRef(join(dir, 'owner.json'));
    if (owner === undefined || isRunning(owner)) continue;
    for (const component of ['postgres', 'kafka']) {
      const record = readRef(join(dir, component, 'run.json'), 'process');
      if (record !== undefined && isRunning(record)) process.kill(record.pid, 'SIGKILL');
    }
    rmSync(dir, { recursive: true, force: true });
  }
}

function readRef(file: string, field?: string): ProcessRef | undefined {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    return (field === undefined ? value : value[field]) as ProcessRef | undefined;
  } catch {
    return undefined;
  }
}
