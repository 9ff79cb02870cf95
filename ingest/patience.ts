import { setTimeout as delay } from 'node:timers/promises';

/** How long an outage of Kafka is waited for, and who is told that it is. */
export interface Patience {
  /** From the first failure on; 0: no outage is waited for. */
  readonly patienceMs: number;
  /** Told once an outage. */
  readonly onWaiting?: ((why: string) => void) | undefined;
}

const PAUSE_MS = 500;

/**
 * Tries again while Kafka is away, until it works or the patience is over. Each attempt has to bring
 * a client of its own: one of kafkajs that gave up is not to be used again.
 * @throws the last failure, or the first that waiting does not mend
 */
export async function patiently<T>(
  { patienceMs, onWaiting }: Patience,
  attempt: () => Promise<T>,
): Promise<T> {
  let sinceMs: number | undefined;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const nowMs = performance.now();
      if (!isOutage(error) || nowMs - (sinceMs ?? nowMs) >= patienceMs) throw error;
      if (sinceMs === undefined) onWaiting?.(error instanceof Error ? error.message : '');
      sinceMs ??= nowMs;
    }
    await delay(PAUSE_MS);
  }
}

/** A producer whose sequence numbers the broker has forgotten, or finds wrong; a new one begins anew. */
const MENDED_BY_NEW_PRODUCER = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'DUPLICATE_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
]);
const OUTAGES = new Set(['KafkaJSNumberOfRetriesExceeded', 'KafkaJSTimeout', 'KafkaJSLockTimeout']);

/**
 * Whether an error of kafkajs passes when the broker is back. Any of its causes may say so: a retrier
 * within another that gives up makes the connection's error one that is not to be retried.
 */
export function isOutage(error: unknown): boolean {
  const { name, retriable, type, cause } = (error ?? {}) as Partial<Record<string, unknown>>;
  if (retriable === true || OUTAGES.has(String(name))) return true;
  if (MENDED_BY_NEW_PRODUCER.has(String(type))) return true;
  return cause instanceof Error && isOutage(cause);
}
