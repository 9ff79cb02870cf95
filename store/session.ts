import pg from 'pg';
import { TruecountError } from '../core/errors.js';

/**
 * Limits of a writing session. A client frozen inside a transaction (a stopped process, a dead
 * machine) holds a fence row and hour locks: the server ends it after `idleInTransactionMs`, and
 * until then a waiting cut or successor gives up after `lockTimeoutMs` and tries again.
 * Shorter lets a garbage-collection pause kill a healthy flush; longer makes a cut wait longer.
 */
export const SESSION_LIMITS = {
  lockTimeoutMs: 4_000,
  idleInTransactionMs: 5_000,
  statementTimeoutMs: 60_000,
} as const;

export interface SessionOptions {
  readonly connection: pg.ClientConfig;
  readonly applicationName: string;
}

/** Opens a session with the limits above. Throws dependency_unreachable. */
export async function openSession(options: SessionOptions): Promise<pg.Client> {
  const client = new pg.Client({
    ...options.connection,
    application_name: options.applicationName,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    lock_timeout: SESSION_LIMITS.lockTimeoutMs,
    idle_in_transaction_session_timeout: SESSION_LIMITS.idleInTransactionMs,
    statement_timeout: SESSION_LIMITS.statementTimeoutMs,
    // A custom plan would copy the array parameters of a flush into itself as constants.
    options: '-c plan_cache_mode=force_generic_plan',
  });
  // Without a listener a lost connection would end the process; the next query reports it.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    throw new TruecountError('dependency_unreachable', 'Postgres does not answer', {
      hint: 'see `truecount doctor`; the stream waits and loses nothing',
      cause: error,
    });
  }
  return client;
}

/** SQLSTATE of an error from the server, if it is one. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

/**
 * True if trying the same transaction again may succeed: the connection broke, the server is
 * starting or stopping, or it ended the transaction for a lock, a deadlock or its idleness.
 * Everything else (bad data, a missing table) would fail again for ever.
 */
export function isPassing(error: unknown): boolean {
  const state = sqlState(error);
  if (state === undefined) return !(error instanceof TypeError || error instanceof RangeError);
  return ['08', '40', '53', '57', '25'].includes(state.slice(0, 2)) || state === '55P03';
}
