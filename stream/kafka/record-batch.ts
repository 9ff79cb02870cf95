import { crc32c } from '@node-rs/crc32';
import { TruecountError } from '../../core/errors.js';
import type { FetchedBatch } from '../log-source.js';
import { decompress } from './compression.js';

/*
 * Layout of a record batch, magic 2 (KIP-98; kafka.apache.org/documentation/#recordbatch):
 * 0 baseOffset i64, 8 batchLength i32, 12 leaderEpoch i32, 16 magic i8, 17 crc u32,
 * 21 attributes i16, 23 lastOffsetDelta i32, 27 baseTimestamp i64, 35 maxTimestamp i64,
 * 43 producerId i64, 51 producerEpoch i16, 53 baseSequence i32, 57 count i32, 61 records.
 */
const LENGTH_AT = 8;
const MAGIC_AT = 16;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_DELTA_AT = 23;
const BASE_TIMESTAMP_AT = 27;
const MAX_TIMESTAMP_AT = 35;
const PRODUCER_ID_AT = 43;
const COUNT_AT = 57;
const HEADER_BYTES = 61;
/** `batchLength` counts from `leaderEpoch` on. */
const LENGTH_PREFIX_BYTES = 12;

const CODEC_MASK = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
/** Type in the key of a control record: 0 aborts, 1 commits. */
const ABORT_MARKER = 0;

/**
 * Where the records go. Called in offset order; every offset of the complete batches at or above
 * the wanted one is in exactly one call, except those that compaction removed between records.
 */
export interface RecordSink {
  /** The value is `source[start, end)`, valid only during the call; it may be empty. */
  onRecord(source: Uint8Array, start: number, end: number, offset: number, appendMs: number): void;
  /** A record whose value is null (a tombstone): not the same as an empty value. */
  onNull(offset: number, appendMs: number): void;
  /**
   * Offsets `[fromOffset, toOffset)` hold nothing to read: transaction markers, records of aborted
   * transactions, batches emptied by compaction.
   */
  onControl(fromOffset: number, toOffset: number): void;
  /** Asked after every record: true ends the reading there. Absent: it is never full. */
  readonly full?: boolean;
}

/** The part of a fetch result that decoding needs. */
export type RecordSet = Pick<
  FetchedBatch,
  'topic' | 'partition' | 'recordSet' | 'abortedTransactions'
>;

export interface DecodeOptions {
  /** Check the CRC-32C of each batch; default true. */
  readonly verifyCrc?: boolean;
}

/**
 * Hands every record at or above `fromOffset` to `sink`. A partial batch at the end is ignored, as
 * Kafka cuts fetches by bytes. Offsets are exact doubles; `appendMs` is the broker's append time
 * where the topic uses `LogAppendTime`, else the record's own timestamp, in ms.
 *
 * @returns the next offset after the last complete batch, or after the record with which the sink
 * became full, or `fromOffset` if there is no complete batch.
 * @throws TruecountError `corrupt_record_batch`; the records before the damage have been handed over
 * by then. Its context has the damaged batch's `nextOffset`, where the header still tells it: what
 * follows can be read from there.
 */
export function decodeRecordSet(
  set: RecordSet,
  fromOffset: number,
  sink: RecordSink,
  options: DecodeOptions = {},
): number {
  const verifyCrc = options.verifyCrc ?? true;
  const bytes = set.recordSet;
  const aborted = new AbortedProducers(set.abortedTransactions);
  let nextOffset = fromOffset;
  let at = 0;
  for (;;) {
    const end = batchEnd(set, at);
    if (end === 0) return nextOffset;
    const batch = readHeader(set, at, end);
    if (batch.nextOffset > fromOffset) {
      if (verifyCrc && !hasItsChecksum(bytes, at, end)) {
        throw corrupt(set, batch, 'its CRC-32C does not match');
      }
      nextOffset = deliver(set, batch, fromOffset, aborted, sink);
      if (nextOffset < batch.nextOffset) return nextOffset;
    } else if ((batch.attributes & CONTROL) !== 0) {
      aborted.isReadable(set, batch);
    }
    at = end;
  }
}

/**
 * Next offset after the complete batches of a record set, from their headers alone; undefined if
 * no batch is complete.
 *
 * @throws TruecountError `corrupt_record_batch`
 */
export function endOffsetOf(set: Omit<RecordSet, 'abortedTransactions'>): number | undefined {
  let nextOffset: number | undefined;
  let at = 0;
  for (;;) {
    const end = batchEnd(set, at);
    if (end === 0) return nextOffset;
    nextOffset = readHeader(set, at, end).nextOffset;
    at = end;
  }
}

interface BatchHeader {
  readonly at: number;
  readonly end: number;
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly attributes: number;
}

type Located = Pick<RecordSet, 'topic' | 'partition' | 'recordSet'>;

/** End of the batch at `at`, or 0 if it is not complete. */
function batchEnd(set: Located, at: number): number {
  const bytes = set.recordSet;
  if (at + HEADER_BYTES > bytes.length) return 0;
  const magic = bytes[at + MAGIC_AT];
  if (magic !== 2) {
    throw corrupt(
      set,
      { baseOffset: readInt64(bytes, at) },
      `its format is version ${String(magic)}, only version 2 is read`,
      'Kafka 4 dropped the older formats; if this is a real topic of an older broker, upgrade it.',
    );
  }
  const length = bytes.readInt32BE(at + LENGTH_AT);
  if (length < HEADER_BYTES - LENGTH_PREFIX_BYTES) {
    throw corrupt(set, { baseOffset: readInt64(bytes, at) }, `its length is ${String(length)}`);
  }
  const end = at + LENGTH_PREFIX_BYTES + length;
  return end > bytes.length ? 0 : end;
}

function readHeader(set: Located, at: number, end: number): BatchHeader {
  const bytes = set.recordSet;
  const baseOffset = readInt64(bytes, at);
  const lastDelta = bytes.readInt32BE(at + LAST_DELTA_AT);
  const nextOffset = baseOffset + lastDelta + 1;
  if (baseOffset < 0 || lastDelta < 0 || !Number.isSafeInteger(nextOffset)) {
    throw corrupt(set, { baseOffset }, `its last offset delta is ${String(lastDelta)}`);
  }
  return { at, end, baseOffset, nextOffset, attributes: bytes.readInt16BE(at + ATTRIBUTES_AT) };
}

/**
 * The producers whose transaction is known to be aborted at the current batch. The rule is that of
 * the Java client (`Fetcher.consumeAbortedTransactionsUpTo`): a transaction starts to count as
 * aborted at its first offset and stops at its abort marker.
 */
class AbortedProducers {
  private readonly active = new Set<bigint>();
  private readonly waiting: { producerId: bigint; firstOffset: number }[];
  private next = 0;

  constructor(transactions: RecordSet['abortedTransactions']) {
    this.waiting = [...transactions].sort((a, b) => a.firstOffset - b.firstOffset);
  }

  /** Whether the batch holds records to read; to be asked once per batch, in order. */
  isReadable(set: RecordSet, batch: BatchHeader): boolean {
    for (; this.next < this.waiting.length; this.next++) {
      const transaction = this.waiting[this.next];
      if (transaction === undefined || transaction.firstOffset >= batch.nextOffset) break;
      this.active.add(transaction.producerId);
    }
    const isControl = (batch.attributes & CONTROL) !== 0;
    if (this.active.size === 0) return !isControl;
    const producerId = set.recordSet.readBigInt64BE(batch.at + PRODUCER_ID_AT);
    if (isControl) {
      if (controlType(set, batch) === ABORT_MARKER) this.active.delete(producerId);
      return false;
    }
    return (batch.attributes & TRANSACTIONAL) === 0 || !this.active.has(producerId);
  }
}

/** Type of the first record of a control batch; its key is a version and a type, 2 bytes each. */
function controlType(set: RecordSet, batch: BatchHeader): number {
  const cursor = new Cursor(set.recordSet, batch.at + HEADER_BYTES, batch.end);
  cursor.signed();
  cursor.skip(1);
  cursor.signed();
  cursor.signed();
  const keyLength = cursor.signed();
  if (keyLength < 4 || cursor.at + keyLength > batch.end) {
    throw corrupt(set, batch, 'its control record has no type');
  }
  return set.recordSet.readInt16BE(cursor.at + 2);
}

function hasItsChecksum(bytes: Buffer, at: number, end: number): boolean {
  return crc32c(bytes.subarray(at + ATTRIBUTES_AT, end)) === bytes.readUInt32BE(at + CRC_AT);
}

function deliver(
  set: RecordSet,
  batch: BatchHeader,
  fromOffset: number,
  aborted: AbortedProducers,
  sink: RecordSink,
): number {
  const count = set.recordSet.readInt32BE(batch.at + COUNT_AT);
  if (!aborted.isReadable(set, batch) || count === 0) {
    sink.onControl(Math.max(fromOffset, batch.baseOffset), batch.nextOffset);
    return batch.nextOffset;
  }
  const codec = batch.attributes & CODEC_MASK;
  if (codec === 0) {
    const cursor = new Cursor(set.recordSet, batch.at + HEADER_BYTES, batch.end);
    return readRecords(set, batch, count, cursor, fromOffset, sink);
  }
  const records = inflate(set, batch, codec);
  return readRecords(set, batch, count, new Cursor(records, 0, records.length), fromOffset, sink);
}

function inflate(set: RecordSet, batch: BatchHeader, codec: number): Uint8Array {
  try {
    return decompress(codec, set.recordSet.subarray(batch.at + HEADER_BYTES, batch.end));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw corrupt(set, batch, `codec ${String(codec)} fails: ${reason}`, undefined, cause);
  }
}

function readRecords(
  set: RecordSet,
  batch: BatchHeader,
  count: number,
  cursor: Cursor,
  fromOffset: number,
  sink: RecordSink,
): number {
  const bytes = cursor.bytes;
  const { baseOffset } = batch;
  const lastDelta = batch.nextOffset - baseOffset - 1;
  const brokerTime = (batch.attributes & LOG_APPEND_TIME) !== 0;
  const timestampAt = batch.at + (brokerTime ? MAX_TIMESTAMP_AT : BASE_TIMESTAMP_AT);
  const timestamp = readInt64(set.recordSet, timestampAt);
  let previousDelta = -1;
  for (let index = 0; index < count; index++) {
    const length = cursor.signed();
    const recordEnd = cursor.at + length;
    cursor.skip(1);
    const timestampDelta = cursor.signed();
    const delta = cursor.signed();
    const keyLength = cursor.signed();
    if (keyLength > 0) cursor.skip(keyLength);
    const valueLength = cursor.signed();
    const start = cursor.at;
    const end = valueLength < 0 ? start : start + valueLength;
    // One comparison chain catches cut-off varints (the cursor ran past its end) as well.
    if (!(end <= recordEnd && recordEnd <= cursor.end) || delta <= previousDelta) {
      throw corrupt(set, batch, `record ${String(index)} of ${String(count)} is malformed`);
    }
    if (delta > lastDelta) {
      throw corrupt(set, batch, `record ${String(index)} lies past the batch's last offset`);
    }
    previousDelta = delta;
    cursor.at = recordEnd;
    const offset = baseOffset + delta;
    if (offset < fromOffset) continue;
    const appendMs = brokerTime ? timestamp : timestamp + timestampDelta;
    if (valueLength < 0) sink.onNull(offset, appendMs);
    else sink.onRecord(bytes, start, end, offset, appendMs);
    if (sink.full === true) return offset + 1;
  }
  return batch.nextOffset;
}

/** Reads zigzag varints. Never reads wrongly past its end: `at` then exceeds `end`. */
class Cursor {
  constructor(
    readonly bytes: Uint8Array,
    public at: number,
    readonly end: number,
  ) {}

  skip(count: number): void {
    this.at += count;
  }

  /** A zigzag varint or varlong as a double; exact below 2^53. */
  signed(): number {
    const first = this.bytes[this.at++];
    if (first !== undefined && first < 0x80) return (first >>> 1) ^ -(first & 1);
    const second = this.bytes[this.at++];
    if (first !== undefined && second !== undefined && second < 0x80) {
      const raw = (first & 0x7f) | (second << 7);
      return (raw >>> 1) ^ -(raw & 1);
    }
    return this.long((first ?? 0) & 0x7f, second ?? 0);
  }

  private long(first: number, second: number): number {
    let raw = first + (second & 0x7f) * 128;
    let scale = 128 * 128;
    for (let index = 2; index < 10; index++, scale *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) break;
      raw += (byte & 0x7f) * scale;
      if (byte < 0x80) return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
    }
    this.at = Infinity;
    return 0;
  }
}

function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 4294967296 + bytes.readUInt32BE(at + 4);
}

function corrupt(
  set: Located,
  batch: { readonly baseOffset: number; readonly nextOffset?: number },
  reason: string,
  hint?: string,
  cause?: unknown,
): TruecountError {
  const { baseOffset: offset, nextOffset } = batch;
  const place = `${set.topic}/${String(set.partition)} at offset ${String(offset)}`;
  return new TruecountError('corrupt_record_batch', `Record batch of ${place}: ${reason}.`, {
    hint:
      hint ??
      'Compare with another replica of the partition (kafka-dump-log); the rest of it is not counted.',
    context: { topic: set.topic, partition: set.partition, offset, nextOffset },
    cause,
  });
}
