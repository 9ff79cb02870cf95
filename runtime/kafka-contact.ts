import { setTimeout as delay } from 'node:timers/promises';
import { TruecountError } from '../core/errors.js';
import type { Config } from './config.js';
import { createKafka } from './kafka-client.js';
import { kafkaClientOptions } from './kafka-options.js';
import { TLS_CODES } from './tls-codes.js';

/**
 * A server that is away comes back, so services wait for it. One that answers and refuses us does
 * not change its mind: waiting would hide a wrong password or certificate. This asks once, before a
 * service starts, and tells the two apart; postgres-contact.ts does so for Postgres.
 */

/** A connection that is taken and closed again may be a broker on its way down: then not thrice. */
const CLOSED_TRIES = 3;
const CLOSED_PAUSE_MS = 700;

const HINT =
  'compare TLS, CA, SASL mechanism, user and password in `truecount config` with the listener';

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
      hint: HINT,
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

/** The error and those that caused it; kafkajs keeps the first failure of a retry there. */
function causes(error: Error): { name: string; code?: string }[] {
  const found: { name: string; code?: string }[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    found.push({ name: at.name, ...(typeof code === 'string' ? { code } : {}) });
  }
  return found;
}
