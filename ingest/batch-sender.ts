import { CompressionTypes } from 'kafkajs';
import type { Kafka, Message, Producer, RecordMetadata, RetryOptions } from 'kafkajs';
import { TruecountError } from '../core/errors.js';
import { isOutage, patiently } from './patience.js';
import type { Patience } from './patience.js';

export interface BatchSenderOptions extends Partial<Patience> {
  readonly topic: string;
  /** Default none. */
  readonly compression?: 'none' | 'gzip';
  /** Retries of one batch by one kafkajs producer, as kafkajs takes them. */
  readonly retry?: RetryOptions;
}

/**
 * While nobody listens at the broker's address kafkajs gives up sooner: the retries of a connection,
 * 10 s or so, are within these.
 */
const RETRY = { initialRetryTime: 100, maxRetryTime: 5_000, retries: 22 };

/**
 * Sends batches to a topic, one at a time: acks from all in-sync replicas, idempotent. A kafkajs
 * producer that failed is thrown away, as its sequence numbers are not to be relied on after that;
 * with patience for an outage another sends the same batch again. What was stored before is then on
 * the log twice, with the same ids.
 */
export class BatchSender {
  private producer: Producer | undefined;
  private isClosed = false;

  private constructor(
    private readonly kafka: Kafka,
    private readonly options: BatchSenderOptions,
  ) {}

  /** @throws TruecountError `dependency_unreachable` at once, whatever the patience. */
  static async connect(kafka: Kafka, options: BatchSenderOptions): Promise<BatchSender> {
    const sender = new BatchSender(kafka, options);
    try {
      sender.producer = await sender.newProducer();
    } catch (cause) {
      throw unreachable(cause);
    }
    return sender;
  }

  /**
   * @returns where the broker put the messages of each partition
   * @throws TruecountError `dependency_unreachable` when the broker stays away, `internal` when it
   * refuses.
   */
  async send(messages: Message[]): Promise<RecordMetadata[]> {
    const { patienceMs = 0, onWaiting, topic } = this.options;
    try {
      return await patiently({ patienceMs, onWaiting }, () => this.tryToSend(messages));
    } catch (cause) {
      if (isOutage(cause)) throw unreachable(cause);
      const { message } = cause as Error;
      throw new TruecountError('internal', `the broker refused clicks for ${topic}: ${message}`, {
        hint: 'ingest the same input again once this is mended: what was sent counts once',
        cause,
      });
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.producer?.disconnect();
  }

  private async tryToSend(messages: Message[]): Promise<RecordMetadata[]> {
    const { topic, compression } = this.options;
    const producer = (this.producer ??= await this.newProducer());
    try {
      return await producer.send({
        topic,
        messages,
        acks: -1,
        compression: compression === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None,
      });
    } catch (error) {
      this.producer = undefined;
      await producer.disconnect().catch(() => undefined);
      throw error;
    }
  }

  private async newProducer(): Promise<Producer> {
    if (this.isClosed) throw new Error('the producer was closed');
    const producer = this.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      retry: this.options.retry ?? RETRY,
      // Every message names its partition already.
      createPartitioner: () => (args) => args.message.partition ?? 0,
    });
    try {
      await producer.connect();
      return producer;
    } catch (error) {
      await producer.disconnect().catch(() => undefined);
      throw error;
    }
  }
}

export function unreachable(cause: unknown): TruecountError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new TruecountError('dependency_unreachable', `Kafka cannot be reached: ${why}`, {
    hint: 'truecount doctor says what is wrong; ingesting the same input again counts once',
    cause,
  });
}
