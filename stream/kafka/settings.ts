import type { KafkaConfig } from 'kafkajs';

/** The part of a pino logger that the source uses. */
export interface SourceLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** How to reach Kafka; `ssl` and `sasl` are handed to kafkajs as they are. */
export type KafkaConnection = Pick<KafkaConfig, 'brokers' | 'ssl' | 'sasl' | 'clientId'>;

/** Settings of a `KafkaLogSource`; times in ms, sizes in bytes. */
export interface KafkaSourceSettings {
  readonly kafka: KafkaConnection;
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly logger: SourceLogger;
  /** The broker gives the partitions to another member after this long without a heartbeat. */
  readonly sessionTimeoutMs?: number;
  readonly heartbeatMs?: number;
  /** How long the broker waits for members to join again; also bounds the flush before a join. */
  readonly rebalanceTimeoutMs?: number;
  /** How long the broker may hold a fetch that finds nothing: bounds freshness of quiet topics. */
  readonly maxWaitMs?: number;
  readonly maxBytesPerPartition?: number;
  readonly maxBytes?: number;
  /** Without an answer to a fetch for this long, the consumer is made anew. */
  readonly stallMs?: number;
  /** `close` gives up a clean leave after this long. */
  readonly closeMs?: number;
}

export type ResolvedSettings = Required<KafkaSourceSettings>;

/** Fills in the defaults; docs/decisions/0002 gives their reasons. */
export function resolveSettings(settings: KafkaSourceSettings): ResolvedSettings {
  const rebalanceTimeoutMs = settings.rebalanceTimeoutMs ?? 30_000;
  return {
    ...settings,
    sessionTimeoutMs: settings.sessionTimeoutMs ?? 30_000,
    heartbeatMs: settings.heartbeatMs ?? 3_000,
    rebalanceTimeoutMs,
    maxWaitMs: settings.maxWaitMs ?? 200,
    maxBytesPerPartition: settings.maxBytesPerPartition ?? 1024 * 1024,
    maxBytes: settings.maxBytes ?? 8 * 1024 * 1024,
    stallMs: settings.stallMs ?? 60_000 + rebalanceTimeoutMs,
    closeMs: settings.closeMs ?? 10_000,
  };
}
