import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { TruecountError } from '../core/errors.js';
import type { Config } from './config.js';
import { kafkaClientOptions, postgresPoolOptions } from './connections.js';
import { createKafka } from './kafka-client.js';

/**
 * A server that is away comes back, so services wait for it. One that answers and refuses us does
 * not change its mind: waiting would hide a wrong password or certificate. These ask once, before a
 * service starts, and tell the two apart.
 */

/** Node's codes of a certificate or handshake that was not accepted (`tls`, OpenSSL's X509_V_ERR). */
const TLS_CODES = /CERT|SIGNATURE|^ERR_(SSL|TLS)|^EPROTO$/;
/** SQLSTATE: refused by password, method or pg_hba.conf (28), or no such database. */
const POSTGRES_REFUSES = /^28|^3D000$/;
/** A connection that is taken and closed again may be a broker on its way down: then not thrice. */
const CLOSED_TRIES = 3;
const CLOSED_PAUSE_MS = 700;

const KAFKA_HINT =
  'compare TLS, CA, SASL mechanism, user and password in `truecount config` with the listener';
const POSTGRES_HINT = 'compare user, password, database and sslmode in the URL with pg_hba.conf';

/**
 * Returns if Kafka lets us in, or is away.
 * @throws TruecountError `dependency_unreachable` if it refuses us.
 */
export async function assertKafkaAccepts(config: Config): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const error = await kafkaError(config);
    if (error === undefined) return;
    const closed = isClosed(error);
    if (closed && attempt < CLOSED_TRIES) {
      await delay(CLOSED_PAUSE_MS);
      continue;
    }
    if (!closed && !isKafkaRefusal(error)) return;
    const brokers = config.kafka.brokers?.join(',') ?? '';
    const why = closed ? closedBecause(config) : error.message;
    throw new TruecountError('dependency_unreachable', `Kafka at ${brokers} refuses: ${why}`, {
      hint: KAFKA_HINT,
      cause: error,
    });
  }
}

async function kafkaError(config: Config): Promise<Error | undefined> {
  const retry = { retries: 0 };
  const options = { ...kafkaClientOptions(config), connectionTimeout: 5_000, retry };
  const admin = createKafka(options).admin();
  try {
    await admin.connect();
    await admin.describeCluster();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

function isKafkaRefusal(error: Error): boolean {
  return causes(error).some(
    ({ name, code }) => name === 'KafkaJSSASLAuthenticationError' || TLS_CODES.test(code ?? ''),
  );
}

function isClosed(error: Error): boolean {
  return causes(error).some(
    ({ name, code }) => name === 'KafkaJSConnectionClosedError' || code === 'ECONNRESET',
  );
}

/** A broker does not say why it hangs up; what was not tried says most. */
function closedBecause({ kafka }: Config): string {
  const tried = `${kafka.tls.enabled ? 'TLS' : 'no TLS'}, ${kafka.sasl.mechanism ?? 'no SASL'}`;
  return `it closes the connection (${tried}): its listener may ask for another protocol`;
}

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
      hint: POSTGRES_HINT,
      cause,
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}

function isPostgresRefusal(error: Error): boolean {
  if (error.message.includes('does not support SSL')) return true; // by pg, without a code
  const { code = '' } = error as { code?: string };
  return error instanceof pg.DatabaseError ? POSTGRES_REFUSES.test(code) : TLS_CODES.test(code);
}

/** The error and those that caused it; kafkajs keeps the first failure of a retry there. */
function causes(error: Error): { name: string; code?: string }[] {
  const found: { name: string; code?: string }[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    found.push({ name: at.name, ...(typeof code === 'string' ? { code } : {}) });
  }
  return found;
}
