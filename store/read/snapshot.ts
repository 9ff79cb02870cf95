import pg from 'pg';
import { ERROR_CODES, TruecountError } from '../../core/errors.js';
import { readError, type Reader } from './connection.js';

/**
 * Runs several reads on one snapshot of the database (I7): a REPEATABLE READ transaction. For answers
 * that are too many-sided for one statement.
 * @throws what `work` throws; errors of Postgres as `readRows`
 */
export async function inSnapshot<T>(
  reader: Reader,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  if (!(reader instanceof pg.Pool)) return onSnapshot(reader, work);
  const client = await reader.connect().catch((error: unknown) => {
    throw readError(error);
  });
  try {
    const result = await onSnapshot(client, work);
    client.release();
    return result;
  } catch (error) {
    // A question that was refused leaves a clean connection; anything else may not.
    client.release(!(error instanceof TruecountError) || ERROR_CODES[error.code].status >= 500);
    throw error;
  }
}

async function onSnapshot<T>(
  client: pg.ClientBase,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  try {
    await client.query('begin isolation level repeatable read read only');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw readError(error);
  }
}
