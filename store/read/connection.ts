import pg from 'pg';
import { TruecountError } from '../../core/errors.js';

/** What a read runs on: a pool, or one connection of it. */
export type Reader = pg.Pool | pg.ClientBase;

export interface ReadPoolOptions {
  /** postgres://… */
  readonly url: string;
  readonly applicationName: string;
  /** Connections at most; further readers wait up to `connectTimeoutMs` for one. */
  readonly max: number;
  readonly statementTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

/**
 * A pool of read-only sessions. Each answer is one statement, so it reads one snapshot (I7). JIT
 * compilation is off: it costs a short query more than it saves. Plans do not depend on parameters:
 * planning anew takes several times as long as the answer for one ad (docs/explanation/performance).
 * @param onIdleError told when a connection that nobody uses breaks; the pool replaces it
 */
export function openReadPool(
  options: ReadPoolOptions,
  onIdleError: (error: Error) => void = () => undefined,
): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: options.applicationName,
    max: options.max,
    connectionTimeoutMillis: options.connectTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    // The server ends a slow statement; if it does not answer at all, the client stops waiting.
    query_timeout: options.statementTimeoutMs + options.connectTimeoutMs,
    keepAlive: true,
    options: '-c default_transaction_read_only=on -c jit=off -c plan_cache_mode=force_generic_plan',
  });
  pool.on('error', onIdleError);
  return pool;
}

/** Runs one statement; errors of Postgres come out as ours. Every read goes through here. */
export async function readRows<Row extends pg.QueryResultRow>(
  reader: Reader,
  name: string,
  text: string,
  values: readonly unknown[],
): Promise<Row[]> {
  try {
    // A name makes it a prepared statement: parsed and planned once per connection.
    return (await reader.query<Row>({ name, text, values: [...values] })).rows;
  } catch (error) {
    throw readError(error);
  }
}

/** The same where the answer always has a row. */
export async function readRow<Row extends pg.QueryResultRow>(
  reader: Reader,
  name: string,
  text: string,
  values: readonly unknown[],
): Promise<Row> {
  const [row] = await readRows<Row>(reader, name, text, values);
  if (row !== undefined) return row;
  throw new TruecountError('invariant_broken', `the read ${name} gave no row`, {
    hint: 'ledger_head and reading_settings hold one row each; restore what was deleted',
  });
}

/** The error that who asked is told for an error of Postgres, of its driver or of the network. */
export function readError(error: unknown): TruecountError {
  if (error instanceof TruecountError) return error;
  const state = error instanceof pg.DatabaseError ? (error.code ?? '') : undefined;
  if (state === '57014' || isClientTimeout(error)) {
    return new TruecountError('not_ready', 'the question took too long and was given up', {
      hint: 'ask for a shorter range, or try again when Postgres is less busy',
      cause: error,
    });
  }
  if (state === '42P01' || state === '42883' || state === '42703') {
    return new TruecountError('schema_out_of_date', 'the database lacks a table or function', {
      hint: 'run `truecount migrate`',
      cause: error,
    });
  }
  if (state === undefined ? !isDefect(error) : isAway(state)) {
    return new TruecountError('dependency_unreachable', `Postgres does not answer${why(error)}`, {
      hint: 'see `truecount doctor`; counting goes on from where it was when Postgres is back',
      cause: error,
    });
  }
  return new TruecountError('internal', `Postgres refused a statement${why(error)}`, {
    cause: error,
  });
}

/** Connection lost (08), no connections or memory left (53), shutting down or starting (57P). */
function isAway(state: string): boolean {
  return ['08', '53'].includes(state.slice(0, 2)) || state.startsWith('57P') || isDenied(state);
}

/** Wrong password or missing database: from where a reader stands, Postgres cannot be reached. */
function isDenied(state: string): boolean {
  return state.startsWith('28') || state === '3D000';
}

function isClientTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Query read timeout';
}

function isDefect(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError;
}

function why(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code === '' ? '' : ` (${code})`;
}
