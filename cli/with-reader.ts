import type pg from 'pg';
import { postgresPoolOptions } from '../runtime/postgres-options.js';
import { openReadPool } from '../store/read/connection.js';
import { configFor, type CommonOptions } from './options.js';

/** A person waits longer than a web page: long ranges are asked for here. */
const STATEMENT_TIMEOUT_MS = 60_000;

/** Runs one question on a read-only connection to the configured Postgres, and closes it. */
export async function withReader<T>(
  options: CommonOptions,
  ask: (pool: pg.Pool) => Promise<T>,
): Promise<T> {
  const { connectionString = '', connectionTimeoutMillis = 10_000 } = postgresPoolOptions(
    configFor(options).config,
  );
  const pool = openReadPool({
    url: connectionString,
    applicationName: 'truecount cli',
    max: 1,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: connectionTimeoutMillis,
  });
  try {
    return await ask(pool);
  } finally {
    await pool.end();
  }
}
