import pg from 'pg';
import { TruecountError } from '../core/errors.js';
import type { Config } from './config.js';
import { unknownAddress } from './unknown-address.js';

/**
 * Options for `new pg.Pool(...)`. TLS is in the URL as usual (`sslmode=verify-full`,
 * `sslrootcert=`, `sslcert=`, `sslkey=`); PGPASSFILE and PGPASSWORD are honoured.
 * @throws TruecountError `dependency_unreachable` when no address is known, `invalid_config` for one
 * that is malformed or names a file that can't be read.
 */
export function postgresPoolOptions(config: Config): pg.PoolConfig {
  if (config.postgresUrl === undefined) throw unknownAddress('Postgres', 'TRUECOUNT_POSTGRES_URL');
  checkPostgresUrl(config.postgresUrl);
  return {
    connectionString: config.postgresUrl,
    max: config.postgresPoolSize,
    connectionTimeoutMillis: 10_000,
    application_name: 'truecount',
    keepAlive: true,
  };
}

/**
 * The client takes the URL apart, and reads the files it names, when it is made: here that fails
 * with the setting's name. The error is not kept as a cause: it has the URL, with the password.
 */
function checkPostgresUrl(connectionString: string): void {
  try {
    new pg.Client({ connectionString });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new TruecountError('invalid_config', `postgresUrl can't be used: ${why}`, {
      hint: 'postgres://user:password@host:port/database?…, special characters %-encoded',
    });
  }
}
