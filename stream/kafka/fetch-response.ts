import { endOffsetOf } from './record-batch.js';
import type { TopicPartition } from '../log-source.js';

/** What kafkajs asked for one partition, and under which assignment. */
export interface FetchRequestContext {
  readonly generation: number;
  /** Requested offset by topic, then partition. */
  offsetOf(topic: string, partition: number): number;
}

/** Error code of a partition whose asked offset is not in the log. */
export const OFFSET_OUT_OF_RANGE = 1;

/** One partition's part of a fetch answer, not decoded below the record batches. */
export interface RawPartition extends TopicPartition {
  readonly generation: number;
  readonly errorCode: number;
  readonly fetchedOffset: number;
  /** Next offset after the complete batches; `fetchedOffset` if there is none. */
  readonly endOffset: number;
  readonly isEmpty: boolean;
  /** One past the last readable record: last stable offset, else high watermark. */
  readonly logEndOffset: number;
  readonly logStartOffset: number;
  readonly recordSet: Buffer;
  readonly abortedTransactions: readonly { producerId: bigint; firstOffset: number }[];
}

/**
 * Reads the body of a Fetch response, version 11 (Kafka 2.3 and newer):
 * throttle i32, error i16, session i32, [topic [partition i32, error i16, highWatermark i64,
 * lastStable i64, logStart i64, [producerId i64, firstOffset i64], preferredReplica i32, records]].
 * Record sets are views on `body`, which belongs to this answer alone: kafkajs cuts it from buffers
 * that Node allocates per read and never reuses.
 *
 * @throws TruecountError `corrupt_record_batch`; RangeError when the answer itself is cut off
 */
export function readFetchResponse(
  body: Buffer,
  context: FetchRequestContext,
): { throttleMs: number; errorCode: number; partitions: RawPartition[] } {
  const reader = new BodyReader(body);
  const throttleMs = reader.int32();
  const errorCode = reader.int16();
  reader.int32();
  const partitions: RawPartition[] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topic = reader.string();
    for (let count = reader.int32(); count > 0; count--) {
      partitions.push(readPartition(reader, topic, context));
    }
  }
  return { throttleMs, errorCode, partitions };
}

function readPartition(
  reader: BodyReader,
  topic: string,
  context: FetchRequestContext,
): RawPartition {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const highWatermark = reader.int64();
  const lastStable = reader.int64();
  const logStartOffset = reader.int64();
  const abortedTransactions: { producerId: bigint; firstOffset: number }[] = [];
  for (let count = reader.int32(); count > 0; count--) {
    abortedTransactions.push({ producerId: reader.bigint(), firstOffset: reader.int64() });
  }
  reader.int32();
  const recordSet = reader.bytes();
  const fetchedOffset = context.offsetOf(topic, partition);
  const end = endOffsetOf({ topic, partition, recordSet });
  return {
    topic,
    partition,
    generation: context.generation,
    errorCode,
    fetchedOffset,
    endOffset: end ?? fetchedOffset,
    isEmpty: end === undefined || end <= fetchedOffset,
    logEndOffset: lastStable >= 0 ? lastStable : highWatermark,
    logStartOffset,
    recordSet,
    abortedTransactions,
  };
}

class BodyReader {
  private at = 0;

  constructor(private readonly body: Buffer) {}

  int16(): number {
    this.at += 2;
    return this.body.readInt16BE(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.body.readInt32BE(this.at - 4);
  }

  bigint(): bigint {
    this.at += 8;
    return this.body.readBigInt64BE(this.at - 8);
  }

  int64(): number {
    return Number(this.bigint());
  }

  string(): string {
    const length = this.int16();
    this.at += length;
    return this.body.toString('utf8', this.at - length, this.at);
  }

  bytes(): Buffer {
    const length = Math.max(0, this.int32());
    this.at += length;
    return this.body.subarray(this.at - length, this.at);
  }
}
