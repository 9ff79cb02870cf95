import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { TruecountError } from '../core/errors.js';

/** One file of `db/migrations`: `0001_live.sql` is version 1, name `live`. */
export interface Migration {
  readonly version: number;
  readonly file: string;
  readonly sha256: string;
  readonly sql: string;
}

export interface MigrationReport {
  /** Files that the database has (after `migrate`: all of them). */
  readonly applied: readonly string[];
  /** Files that it lacked; `migrate` applied them, `checkMigrations` did not. */
  readonly pending: readonly string[];
}

/** Key of the advisory lock that one migration run holds (arbitrary, but for ever the same). */
const LOCK_KEY = '7263486152001';

/** The migrations of a folder in order. Versions are unique; gaps are no matter. */
export function readMigrations(folder: string): Migration[] {
  const migrations = readdirSync(folder)
    .filter((file) => /^\d{4}_[a-z0-9_]+\.sql$/.test(file))
    .sort()
    .map((file) => {
      const sql = readFileSync(join(folder, file), 'utf8');
      const sha256 = createHash('sha256').update(sql).digest('hex');
      return { version: Number(file.slice(0, 4)), file, sha256, sql };
    });
  const versions = new Set(migrations.map(({ version }) => version));
  if (migrations.length === 0 || versions.size !== migrations.length) {
    throw new TruecountError('internal', `${folder} holds no migrations, or two of one version`);
  }
  return migrations;
}

/**
 * Brings the schema up to date: each pending file in a transaction of its own, forward only, in
 * order. Of several runs at once one works and the others wait, then find nothing to do.
 * @throws TruecountError `conflict` if a file that was applied has changed or is gone, or a pending
 * one comes before an applied one; nothing is applied then.
 */
export async function migrate(
  client: pg.ClientBase,
  migrations: readonly Migration[],
): Promise<MigrationReport> {
  await client.query('select pg_advisory_lock($1)', [LOCK_KEY]);
  try {
    await client.query(`create table if not exists schema_migrations (
      version    integer primary key,
      file       text not null,
      sha256     text not null,
      applied_at timestamptz not null default now()
    )`);
    const { pending } = await checkMigrations(client, migrations);
    for (const migration of migrations) {
      if (pending.includes(migration.file)) await apply(client, migration);
    }
    return { applied: migrations.map(({ file }) => file), pending };
  } finally {
    await client.query('select pg_advisory_unlock($1)', [LOCK_KEY]);
  }
}

async function apply(client: pg.ClientBase, migration: Migration): Promise<void> {
  await client.query('begin');
  try {
    await client.query(migration.sql);
    await client.query(
      'insert into schema_migrations (version, file, sha256) values ($1, $2, $3)',
      [migration.version, migration.file, migration.sha256],
    );
    await client.query('commit');
  } catch (cause) {
    await client.query('rollback');
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TruecountError('internal', `migration ${migration.file} failed: ${why}`, {
      hint: 'nothing of it was applied; files before it were',
      cause,
    });
  }
}

/**
 * What the database has and lacks, without changing it.
 * @throws TruecountError `conflict` as `migrate` does.
 */
export async function checkMigrations(
  client: pg.ClientBase,
  migrations: readonly Migration[],
): Promise<MigrationReport> {
  const rows = await appliedRows(client);
  for (const row of rows) {
    const known = migrations.find(({ version }) => version === row.version);
    if (known?.sha256 === row.sha256) continue;
    const what =
      known === undefined ? 'is not in this release' : 'has changed since it was applied';
    throw new TruecountError('conflict', `migration ${row.file} ${what}`, {
      hint:
        known === undefined
          ? 'the database is newer than this release: use the newer release'
          : 'restore the file; a change to the schema is a new file',
      context: { file: row.file },
    });
  }
  const newest = Math.max(0, ...rows.map(({ version }) => version));
  const has = new Set(rows.map(({ version }) => version));
  const pending = migrations.filter(({ version }) => !has.has(version));
  const between = pending.find(({ version }) => version < newest);
  if (between !== undefined) {
    throw new TruecountError('conflict', `migration ${between.file} comes before an applied one`, {
      hint: 'give it the next free number',
      context: { file: between.file },
    });
  }
  return { applied: rows.map(({ file }) => file), pending: pending.map(({ file }) => file) };
}

interface AppliedRow {
  readonly version: number;
  readonly file: string;
  readonly sha256: string;
}

async function appliedRows(client: pg.ClientBase): Promise<AppliedRow[]> {
  const there = await client.query<{ found: boolean }>(
    "select to_regclass('schema_migrations') is not null as found",
  );
  if (there.rows[0]?.found !== true) return [];
  const result = await client.query<AppliedRow>(
    'select version, file, sha256 from schema_migrations order by version',
  );
  return result.rows;
}
