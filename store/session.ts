import pg from 'pg';
import { TruecountError } from '../core/errors.js';

/**
 * Limits of a writing session. A client frozen inside a transaction (a stopped process, a dead
 * machine) holds a fence row and hour locks: the server ends it, and until then a waiting cut or
 * successor gives up after `lockTimeoutMs` and tries again.
 *
 * `idleInTransactionMs` ends a client that is frozen between statements: shorter lets a pause of
 * the process kill a healthy flush, longer makes a cut wait longer. It does not run while the
 * server waits for the rest of a half-sent message; for a client frozen there `transactionMs` is
 * the bound. A healthy flush takes about a second, so at half a minute something is wrong.
 */
export const SESSION_LIMITS = {
  lockTimeoutMs: 4_000,
  idleInTransactionMs: 5_000,
  transactionMs: 30_000,
} as const;

export interface SessionOptions {
  readonly connection: pg.ClientConfig;
  readonly applicationName: string;
  /** Other limits, for tests. */
  readonly limits?: Readonly<Record<keyof typeof SESSION_LIMITS, number>>;
}

/**
 * Opens a session with the limits above. Throws dependency_unreachable, or component_unavailable
 * for a PostgreSQL before 17: it has no transaction_timeout, so a frozen client could hold up cuts
 * and successors for as long as it is frozen.
 */
export async function openSession(options: SessionOptions): Promise<pg.Client> {
  const client = new pg.Client({
    ...options.connection,
    application_name: options.applicationName,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // Where the network has gone silent, no answer ever comes: the client gives up as well.
    query_timeout: (options.limits ?? SESSION_LIMITS).transactionMs + QUERY_GRACE_MS,
  });
  // Without a listener a lost connection would end the process; the next query reports it.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await setLimits(client, options.limits ?? SESSION_LIMITS);
  } catch (error) {
    await client.end().catch(() => undefined);
    if (sqlState(error) === UNDEFINED_OBJECT) {
      throw new TruecountError('component_unavailable', 'this PostgreSQL is older than 17', {
        hint: 'truecount needs transaction_timeout: use PostgreSQL 17 or newer',
        cause: error,
      });
    }
    const why = error instanceof Error ? error.message : String(error);
    throw new TruecountError('dependency_unreachable', `Postgres does not let us in: ${why}`, {
      hint: 'see `truecount doctor`; the stream waits and loses nothing',
      cause: error,
    });
  }
  return client;
}

const UNDEFINED_OBJECT = '42704';
const QUERY_GRACE_MS = 5_000;

/** By SET, since options in a connection URL would win over those of the client. */
async function setLimits(
  client: pg.Client,
  limits: NonNullable<SessionOptions['limits']>,
): Promise<void> {
  await client.query(
    `select set_config('lock_timeout', $1, false),
            set_config('idle_in_transaction_session_timeout', $2, false),
            set_config('transaction_timeout', $3, false),
            set_config('plan_cache_mode', 'force_generic_plan', false)`,
    [limits.lockTimeoutMs, limits.idleInTransactionMs, limits.transactionMs].map(String),
  );
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
  if (error instanceof TruecountError) return error.code === 'dependency_unreachable';
  const state = sqlState(error);
  if (state === undefined) return !(error instanceof TypeError || error instanceof RangeError);
  return ['08', '40', '53', '57', '25'].includes(state.slice(0, 2)) || state === '55P03';
}
