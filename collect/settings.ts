import { TruecountError } from '../core/errors.js';

/** What the collector takes from the configuration; the resolved settings of the runtime fit. */
export interface CollectSettings {
  readonly host: string;
  readonly port: number;
  readonly bodyBytesMax: number;
  readonly requestClicksMax: number;
  readonly queueClicksMax: number;
  readonly queueBytesMax: number;
  readonly lingerMs: number;
  readonly ackTimeoutMs: number;
  readonly connectionsMax: number;
  readonly requestTimeoutMs: number;
  readonly rateLimitPerSecond: number;
  readonly proxyHops: number;
  readonly corsOrigins: readonly string[];
  readonly redirectHosts: readonly string[];
  /** `ID:SECRET` each; the first signs. */
  readonly linkKeys?: readonly string[] | undefined;
  readonly keepIp: boolean;
  readonly keepUserAgent: boolean;
}

/** A request holds a gzip body and what it unpacks to at once, each as large as a body may be. */
const BODIES_OF_A_REQUEST = 2;

/**
 * Returns if the largest request fits the memory of a collector that has nothing else to do.
 * @throws TruecountError `invalid_config`: such a request would get 503 for ever
 */
export function checkMemory({ queueBytesMax, bodyBytesMax }: CollectSettings): void {
  const least = BODIES_OF_A_REQUEST * bodyBytesMax;
  if (queueBytesMax >= least) return;
  throw new TruecountError(
    'invalid_config',
    `collect.queueBytesMax = ${String(queueBytesMax)} holds no body of collect.bodyBytesMax = ` +
      `${String(bodyBytesMax)} beside what it unpacks to`,
    { hint: `set queueBytesMax to ${String(least)} at least, or bodyBytesMax to less` },
  );
}
