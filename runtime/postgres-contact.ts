import pg from 'pg';
import { TruecountError } from '../core/errors.js';
import type { Config } from './config.js';
import { postgresPoolOptions } from './postgres-options.js';
import { TLS_CODES } from './tls-codes.js';

/** SQLSTATE: refused by password, method or pg_hba.conf (28), or no such database. */
const REFUSES = /^28|^3D000$/;

const HINT = 'compare user, password, database and sslmode in the URL with pg_hba.conf';

/**
 * Returns if Postgres lets us in, or is away.
 * @throws TruecountError `dependency_unreachable` if it refuses us.
 */
export async function assertPostgresAccepts(config: Config): Promise<void> {
  const client = new pg.Client(postgresPoolOptions(config));
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (cause) {
    if (!(cause instanceof Error) || !isPostgresRefusal(cause)) return;
    throw new TruecountError('dependency_unreachable', `Postgres refuses: ${cause.message}`, {
      hint: HINT,
      cause,
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}

function isPostgresRefusal(error: Error): boolean {
  if (error.message.includes('does not support SSL')) return true; // by pg, without a code
  const { code = '' } = error as { code?: string };
  return error instanceof pg.DatabaseError ? REFUSES.test(code) : TLS_CODES.test(code);
}
