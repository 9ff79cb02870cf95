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
