import type { Registry } from 'prom-client';
import type { Logger } from 'pino';
import { KafkaLogSource } from './kafka/source.js';
import type { KafkaConnection } from './kafka/settings.js';
import { createStreamMetrics } from './metrics.js';
import type { StreamOptions } from './options.js';
import { StreamWorker } from './worker.js';

export interface StreamServiceOptions extends StreamOptions {
  readonly kafka: KafkaConnection;
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly sessionTimeoutMs: number;
  readonly registry: Registry;
  readonly log: Logger;
}

export interface StreamService {
  /** Rejects when the worker failed for good; the process should then end and be started again. */
  readonly done: Promise<void>;
  /** Why nothing can be counted now, if it has been so for some seconds. */
  problem(): string | undefined;
  /** Flushes what is buffered and leaves the consumer group. */
  stop(): Promise<void>;
}

/** Starts one stream worker in this process. */
export function startStream(options: StreamServiceOptions): StreamService {
  const { kafka, groupId, topics, sessionTimeoutMs, registry, log } = options;
  const source = new KafkaLogSource({ kafka, groupId, topics, sessionTimeoutMs, logger: log });
  const worker = new StreamWorker(source, options, createStreamMetrics(registry), log);
  const done = worker.run();
  return { done, problem: () => worker.problem(), stop: () => worker.stop() };
}
