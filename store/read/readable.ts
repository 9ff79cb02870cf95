import type pg from 'pg';
import { TruecountError } from '../../core/errors.js';
import { checkMigrations, type Migration } from '../migrate.js';
import { readError } from './connection.js';

/**
 * Resolves when Postgres answers and its schema is the one of this release.
 * @throws TruecountError `dependency_unreachable`, `schema_out_of_date`
 */
export async function checkReadable(
  pool: pg.Pool,
  migrations: readonly Migration[],
): Promise<void> {
  const pending = await pendingMigrations(pool, migrations);
  if (pending.length === 0) return;
  throw new TruecountError('schema_out_of_date', `the database lacks ${pending.join(', ')}`, {
    hint: 'run `truecount migrate`',
  });
}

async function pendingMigrations(
  pool: pg.Pool,
  migrations: readonly Migration[],
): Promise<readonly string[]> {
  let client: pg.PoolClient | undefined;
  try {
    client = await pool.connect();
    const { pending } = await checkMigrations(client, migrations);
    client.release();
    return pending;
  } catch (error) {
    client?.release(true);
    if (!(error instanceof TruecountError)) throw readError(error);
    // A schema of another release: for who asks whether we can answer it is no conflict.
    throw new TruecountError('schema_out_of_date', error.message, {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      cause: error,
    });
  }
}
