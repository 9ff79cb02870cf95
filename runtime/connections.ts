import { readFileSync } from 'node:fs';
import type { KafkaConfig, SASLOptions } from 'kafkajs';
import pg from 'pg';
import { TruecountError } from '../core/errors.js';
import type { Config } from './config.js';

/**
 * Options for `new Kafka(...)`: brokers, TLS and SASL as configured. kafkajs' own logs are off the
 * console; a service passes a `logCreator`.
 * @throws TruecountError `dependency_unreachable` when no brokers are known, `invalid_config` for a
 * file that can't be read or SASL without a user or password.
 */
export function kafkaClientOptions(config: Config): KafkaConfig {
  const { brokers, clientId, tls } = config.kafka;
  if (brokers === undefined) throw unknownAddress('Kafka', 'TRUECOUNT_KAFKA_BROKERS');
  const sasl = saslOptions(config);
  const pem = (path: string | undefined, key: string): Record<string, string> =>
    path === undefined ? {} : { [key]: readPem(path, `kafka.tls.${key}File`) };
  const ssl = tls.enabled
    ? {
        ...pem(tls.caFile, 'ca'),
        ...pem(tls.certFile, 'cert'),
        ...pem(tls.keyFile, 'key'),
        ...(tls.servername === undefined ? {} : { servername: tls.servername }),
      }
    : undefined;
  return {
    clientId,
    brokers: [...brokers],
    ...(ssl === undefined ? {} : { ssl: Object.keys(ssl).length === 0 ? true : ssl }),
    ...(sasl === undefined ? {} : { sasl }),
  };
}

function saslOptions(config: Config): SASLOptions | undefined {
  const { mechanism, username, password } = config.kafka.sasl;
  if (mechanism === undefined) return undefined;
  if (username === undefined || password === undefined) {
    throw new TruecountError('invalid_config', `kafka.sasl.mechanism ${mechanism} needs a user`, {
      hint: 'set TRUECOUNT_KAFKA_SASL_USERNAME and TRUECOUNT_KAFKA_SASL_PASSWORD (or …_FILE)',
    });
  }
  return { mechanism, username, password };
}

function readPem(path: string, key: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new TruecountError('invalid_config', `${key}: cannot read ${path}`, {
      hint: 'check the path and its permissions',
      cause,
    });
  }
}

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

function unknownAddress(what: string, variable: string): TruecountError {
  return new TruecountError('dependency_unreachable', `no address of ${what} is known`, {
    hint: `start the embedded stack (npx truecount up --detach) or set ${variable}`,
  });
}
