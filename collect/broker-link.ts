import { setTimeout as delay } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { ClickProducer } from '../ingest/producer.js';
import type { AcceptedClick } from './judge.js';

/** Where acknowledged clicks go; the queue's other side. */
export interface ClickSink {
  /** Why nothing can be sent now; undefined when it can. */
  problem(): string | undefined;
  /** Resolves when clicks can be sent, perhaps never. */
  ready(): Promise<void>;
  /** Resolves when all in-sync replicas have them; if it rejects, some of them may be on the log. */
  send(clicks: readonly AcceptedClick[]): Promise<void>;
}

export interface BrokerLog {
  info(text: string): void;
  warn(details: object, text: string): void;
}

/**
 * Retries of one batch, 10 s or so: requests have been answered by then, so that clients have the
 * clicks in hand again. The next batch goes to a new producer.
 */
const RETRY = { initialRetryTime: 50, maxRetryTime: 500, factor: 0.2, retries: 24 };
const RECONNECT_MS = 500;
/** A broker that is there has said goodbye by then. */
const CLOSE_MS = 1_000;

/**
 * The producer of the collector. One that failed for good is thrown away, as kafkajs' sequence
 * numbers are not to be trusted after that, and another is connected for as long as it takes. With
 * it come a new producer id and the number of partitions as it is then.
 */
export class BrokerLink implements ClickSink {
  private producer: ClickProducer | undefined;
  private why: string | undefined = 'not connected to Kafka yet';
  private connecting: Promise<void>;
  private readonly stopping = new AbortController();

  constructor(
    private readonly kafka: Kafka,
    private readonly topic: string,
    private readonly log: BrokerLog,
  ) {
    this.connecting = this.connect();
  }

  problem(): string | undefined {
    return this.why;
  }

  ready(): Promise<void> {
    return this.connecting;
  }

  async send(clicks: readonly AcceptedClick[]): Promise<void> {
    const { producer } = this;
    if (producer === undefined) throw new Error(this.why);
    try {
      for (const { key, value } of clicks) {
        const turn = producer.add(key, value);
        if (turn !== undefined) await turn;
      }
      await producer.flush();
    } catch (error) {
      this.producer = undefined;
      this.why = messageOf(error);
      this.connecting = this.connect();
      void producer.close().catch(() => undefined);
      throw error;
    }
  }

  /**
   * To be called when nothing waits for an acknowledgement any more. Waits for no broker that is away:
   * kafkajs gives up a connection after 10 s only, an unanswered request after 30.
   */
  async close(): Promise<void> {
    this.stopping.abort();
    const closed = this.producer?.close().catch(() => undefined);
    await Promise.race([closed, delay(CLOSE_MS, undefined, { ref: false })]);
  }

  private async connect(): Promise<void> {
    const { signal } = this.stopping;
    let told: string | undefined;
    while (!signal.aborted) {
      try {
        const { kafka, topic } = this;
        const producer = await ClickProducer.connect(kafka, { topic, retry: RETRY });
        if (signal.aborted) {
          await producer.close(); // it comes too late
          return;
        }
        this.producer = producer;
        this.why = undefined;
        this.log.info(`connected to Kafka, topic ${topic}`);
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.why = messageOf(error);
        if (this.why !== told) this.log.warn({ err: error }, 'no clicks are taken');
        told = this.why;
        await delay(RECONNECT_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
