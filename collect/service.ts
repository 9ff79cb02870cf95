import type { FastifyInstance } from 'fastify';
import type { Kafka } from 'kafkajs';
import type { Logger } from 'pino';
import { cannotListen } from '../core/cannot-listen.js';
import { AckQueue } from './ack-queue.js';
import { createCollectApp } from './app.js';
import { BrokerLink } from './broker-link.js';
import { Collector } from './collector.js';
import { CollectMetrics } from './metrics.js';
import type { CollectSettings } from './settings.js';

export interface CollectOptions {
  readonly settings: CollectSettings;
  readonly kafka: Kafka;
  /** The topic that clicks go to. */
  readonly topic: string;
  readonly log: Logger;
}

export interface RunningCollector {
  /** `http://127.0.0.1:8280` */
  readonly url: string;
  /** Takes no new connections, answers what has been asked, then lets the broker go. */
  close(): Promise<void>;
}

const IDLE_CHECK_MS = 50;

/**
 * Starts the collector. It starts without Kafka too, and answers 503 until it is there.
 * @throws TruecountError `invalid_config` for a host or key that is none, `conflict` where the port
 * is taken
 */
export async function startCollector(options: CollectOptions): Promise<RunningCollector> {
  const { settings, kafka, topic, log } = options;
  const metrics = new CollectMetrics();
  const link = new BrokerLink(kafka, topic, {
    info: (text) => {
      log.info(text);
    },
    warn: (details, text) => {
      log.warn(details, text);
    },
  });
  const queue = new AckQueue(link, {
    clicksMax: settings.queueClicksMax,
    lingerMs: settings.lingerMs,
    ackTimeoutMs: settings.ackTimeoutMs,
    onAcked: (clicks, tookMs) => {
      metrics.acked(clicks, tookMs);
    },
    onOutage: (tookMs) => {
      metrics.outage(tookMs);
      log.warn({ tookMs: Math.round(tookMs) }, 'Kafka did not acknowledge for a while');
    },
  });
  const end = async (): Promise<void> => {
    queue.close();
    await link.close();
  };
  try {
    const collector = new Collector(settings, queue, metrics);
    metrics.watch(queue, collector.budget, () => collector.rate?.clients ?? 0);
    const app = await createCollectApp(collector, log);
    const url = await listen(app, settings);
    return {
      url,
      close: async () => {
        await closed(app);
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Connections that were busy at first are ended as soon as they have their answer. */
async function closed(app: FastifyInstance): Promise<void> {
  const idle = setInterval(() => {
    app.server.closeIdleConnections();
  }, IDLE_CHECK_MS);
  try {
    await app.close();
  } finally {
    clearInterval(idle);
  }
}

async function listen(app: FastifyInstance, { host, port }: CollectSettings): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (cause) {
    await app.close();
    throw cannotListen({ host, port }, 'collect.port (TRUECOUNT_COLLECT_PORT)', cause);
  }
}
