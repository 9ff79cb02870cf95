import type { Kafka, RecordMetadata } from 'kafkajs';
import { TruecountError } from '../core/errors.js';
import { BatchSender, unreachable } from './batch-sender.js';
import type { BatchSenderOptions } from './batch-sender.js';
import { partitionOf } from './partitioner.js';

/** Where a record stands in the log. */
export interface StoredAt {
  readonly partition: number;
  /** Null: acknowledged, but the broker did not say where. */
  readonly offset: number | null;
  /** When the broker took it; null where the topic keeps the time that the producer gave. */
  readonly appendMs: number | null;
}

/** Told where a record stands, once it does. */
export type OnStored = (at: StoredAt) => void;

interface Pending {
  readonly partition: number;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly onStored: OnStored | undefined;
}

/**
 * A batch is sent when it holds this many records, this many bytes, or for one partition as many
 * as one record batch may have (a broker takes 1,048,588 by default). The count is low as kafkajs
 * copies a partition's messages for each message it adds: time grows with the square.
 */
const BATCH_RECORDS_MAX = 2_000;
const BATCH_BYTES_MAX = 4_000_000;
const PARTITION_BYTES_MAX = 1_000_000;
/** More than a record's own framing takes: lengths, deltas, no headers. */
const RECORD_OVERHEAD_BYTES = 32;

const FIRST_CONTACT = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 4 };

/**
 * Writes clicks to one topic: acks from all in-sync replicas, idempotent, partition by key as any
 * Kafka client would. Holds at most two batches: one in flight, one filling. Never more than one is
 * in flight: kafkajs gives the sequence numbers of a batch that failed to the one that waits behind
 * it, and a broker that had stored the first then takes the second for its repetition.
 */
export class ClickProducer {
  private batch: Pending[] = [];
  private batchBytes = 0;
  private readonly partitionBytes: Float64Array;
  private inFlight: Promise<void> | undefined;

  private constructor(
    private readonly sender: BatchSender,
    private readonly partitions: number,
  ) {
    this.partitionBytes = new Float64Array(partitions);
  }

  /**
   * @throws TruecountError `dependency_unreachable` without a broker, `not_found` without the topic;
   * both at once, whatever the patience.
   */
  static async connect(kafka: Kafka, options: BatchSenderOptions): Promise<ClickProducer> {
    const partitions = await countPartitions(kafka, options.topic);
    return new ClickProducer(await BatchSender.connect(kafka, options), partitions);
  }

  /**
   * Takes a record. Gives a promise if the caller has to wait before the next one, since a batch is
   * full and the one before is still in flight. It rejects as `flush` does. `onStored` is told once
   * all in-sync replicas have the record.
   */
  add(key: Buffer, value: Buffer, onStored?: OnStored): Promise<void> | undefined {
    const partition = partitionOf(key, this.partitions);
    const bytes = key.length + value.length + RECORD_OVERHEAD_BYTES;
    const full =
      this.batch.length >= BATCH_RECORDS_MAX ||
      this.batchBytes + bytes > BATCH_BYTES_MAX ||
      this.partitionBytes[partition]! + bytes > PARTITION_BYTES_MAX;
    const turn = full && this.batch.length > 0 ? this.send() : undefined;
    const pending = { partition, key, value, onStored };
    if (turn === undefined) this.put(pending, bytes);
    return turn?.then(() => {
      this.put(pending, bytes);
    });
  }

  /**
   * Resolves when all records so far are on the log.
   * @throws TruecountError `dependency_unreachable` when the broker stays away, `internal` when it
   * refuses. Of the records since the last flush some may be on the log.
   */
  async flush(): Promise<void> {
    if (this.batch.length > 0) await this.send();
    await this.inFlight;
  }

  async close(): Promise<void> {
    await this.sender.close();
  }

  private put(pending: Pending, bytes: number): void {
    this.batch.push(pending);
    this.batchBytes += bytes;
    this.partitionBytes[pending.partition]! += bytes;
  }

  /** Waits for the batch in flight, then puts the filled one in its place. */
  private async send(): Promise<void> {
    await this.inFlight;
    const batch = this.batch;
    this.batch = [];
    this.batchBytes = 0;
    this.partitionBytes.fill(0);
    this.inFlight = this.transmit(batch);
    // Awaited by the next send or flush; until then a failure is not unhandled.
    this.inFlight.catch(() => undefined);
  }

  private async transmit(batch: Pending[]): Promise<void> {
    tell(batch, await this.sender.send(batch));
  }
}

/** The records of a partition are one record batch, in the order in which they were added. */
function tell(batch: readonly Pending[], stored: readonly RecordMetadata[]): void {
  const next = new Map(
    stored.map(({ partition, baseOffset, logAppendTime }) => {
      const appendMs = Number(logAppendTime ?? -1);
      return [partition, { offset: Number(baseOffset ?? -1), appendMs }];
    }),
  );
  for (const { partition, onStored } of batch) {
    const at = next.get(partition);
    onStored?.({ partition, offset: known(at?.offset), appendMs: known(at?.appendMs) });
    if (at !== undefined && at.offset >= 0) at.offset += 1;
  }
}

/** Kafka says -1 for what it does not say. */
function known(value = -1): number | null {
  return value < 0 ? null : value;
}

async function countPartitions(kafka: Kafka, topic: string): Promise<number> {
  const admin = kafka.admin({ retry: FIRST_CONTACT });
  try {
    await admin.connect();
    const topics = await admin.listTopics();
    if (topics.includes(topic)) {
      const { topics: found } = await admin.fetchTopicMetadata({ topics: [topic] });
      return found[0]!.partitions.length;
    }
  } catch (cause) {
    throw unreachable(cause);
  } finally {
    await admin.disconnect();
  }
  throw new TruecountError('not_found', `there is no topic ${topic} on the broker`, {
    hint: 'truecount up creates it; or name another one with --topic',
    context: { topic },
  });
}
