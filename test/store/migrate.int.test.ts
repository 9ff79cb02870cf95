import { createHash } from 'node:crypto';
import pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkMigrations, migrate, type Migration } from '../../store/migrate.js';
import { freshDatabase, type TestDatabase } from '../support/stack.js';

function file(version: number, sql: string): Migration {
  const sha256 = createHash('sha256').update(sql).digest('hex');
  return { version, file: `${String(version).padStart(4, '0')}_x.sql`, sha256, sql };
}

const FIRST = file(1, 'create table one (n integer)');
const SECOND = file(2, 'create table two (n integer)');

let database: TestDatabase;
let clients: pg.Client[] = [];

/** A session in a schema of its own, so that the shared template's tables are out of sight. */
async function session(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url });
  clients.push(client);
  await client.connect();
  await client.query('create schema if not exists empty; set search_path to empty');
  return client;
}

beforeEach(async () => {
  database = await freshDatabase();
});

afterEach(async () => {
  await Promise.all(clients.map((client) => client.end()));
  clients = [];
  await database.close();
});

it('applies the pending files in order, and nothing the second time', async () => {
  const client = await session();
  expect(await checkMigrations(client, [FIRST, SECOND])).toMatchObject({
    applied: [],
    pending: [FIRST.file, SECOND.file],
  });
  expect((await migrate(client, [FIRST])).pending).toEqual([FIRST.file]);
  expect((await migrate(client, [FIRST, SECOND])).pending).toEqual([SECOND.file]);
  expect((await migrate(client, [FIRST, SECOND])).pending).toEqual([]);
  await client.query('select * from one, two');
});

it('applies each file once when several processes migrate at the same time', async () => {
  const sessions = [await session(), await session(), await session()];
  const reports = await Promise.all(sessions.map((client) => migrate(client, [FIRST, SECOND])));
  expect(reports.map(({ pending }) => pending.length).sort()).toEqual([0, 0, 2]);
});

it('refuses, and applies nothing, when an applied file has changed', async () => {
  const client = await session();
  await migrate(client, [FIRST]);
  const changed = file(1, 'create table one (n bigint)');
  await expect(migrate(client, [changed, SECOND])).rejects.toMatchObject({ code: 'conflict' });
  await expect(client.query('select * from two')).rejects.toMatchObject({ code: '42P01' });
});

it('refuses a database that is newer than the files', async () => {
  const client = await session();
  await migrate(client, [FIRST, SECOND]);
  await expect(checkMigrations(client, [FIRST])).rejects.toMatchObject({ code: 'conflict' });
});

it('refuses a pending file that comes before an applied one', async () => {
  const client = await session();
  await migrate(client, [SECOND]);
  await expect(migrate(client, [FIRST, SECOND])).rejects.toMatchObject({ code: 'conflict' });
});

it('leaves nothing of a file that fails, keeps those before it, and gives the lock back', async () => {
  const client = await session();
  const broken = file(2, 'create table two (n integer); select no_such_function()');
  await expect(migrate(client, [FIRST, broken])).rejects.toThrow(/no_such_function/);
  expect((await migrate(await session(), [FIRST, SECOND])).pending).toEqual([SECOND.file]);
});
