import RequestQueueClass from 'kafkajs/src/network/requestQueue/index.js';
import { TruecountError } from '../../core/errors.js';
import { kafkajsVersion } from './kafkajs-version.js';

/** The only version whose inside these guards know. See docs/decisions/0002. */
const KNOWN_VERSION = '2.2.4';
const POLL_MS = 10;

interface RequestQueue {
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  throttledUntil: number;
  pending: unknown[];
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

let applied = false;

/**
 * Checks the kafkajs version and mends its request queue for the whole process; further calls do
 * nothing. kafkajs re-arms a timer with a negative delay after every answer, which spins once a
 * millisecond per connection and warns on Node 24 (kafkajs issue 1751). Requests are still sent at
 * the same moments: a timer is armed only while one is waiting.
 *
 * @throws TruecountError `internal` if another kafkajs is installed
 */
export function applyKafkajsGuards(): void {
  if (applied) return;
  const version = kafkajsVersion();
  const { prototype } = RequestQueueClass as { prototype?: Partial<RequestQueue> };
  if (version !== KNOWN_VERSION || prototype?.scheduleCheckPendingRequests === undefined) {
    throw unknownKafkajs(`version ${version} is installed`);
  }
  prototype.scheduleCheckPendingRequests = scheduleOnlyWhileWaiting;
  applied = true;
}

/** The error for a kafkajs that is not built as this adapter expects. */
export function unknownKafkajs(what: string): TruecountError {
  return new TruecountError(
    'internal',
    `The Kafka adapter fits kafkajs ${KNOWN_VERSION}: ${what}.`,
    {
      hint: 'Install the dependencies from package-lock.json (npm ci).',
    },
  );
}

function scheduleOnlyWhileWaiting(this: RequestQueue): void {
  if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return;
  const waitMs = Math.max(POLL_MS, this.throttledUntil - Date.now());
  this.throttleCheckTimeoutId = setTimeout(() => {
    this.throttleCheckTimeoutId = null;
    this.checkPendingRequests();
  }, waitMs);
}
