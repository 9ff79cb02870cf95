import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32c } from '@node-rs/crc32';

/** Produce, version 3: the oldest that a Kafka 4 broker takes. */
const PRODUCE_API = 0;
const PRODUCE_VERSION = 3;
const ACKS_ALL = -1;
const TIMEOUT_MS = 30_000;
const RETRY_MS = 50;
const UNKNOWN_PARTITION = 3;
const NOT_LEADER = 6;

const BATCH_HEADER_BYTES = 61;
const CRC_AT = 17;
const CRC_FROM = 21;

/** Builds one uncompressed record batch (magic 2): its records have no headers and no time. */
export class BatchBuilder {
  private buffer = Buffer.allocUnsafe(64 * 1024);
  private at = BATCH_HEADER_BYTES;
  count = 0;

  add(key: Buffer, value: Buffer): void {
    const delta = this.count++;
    const body =
      3 +
      varintBytes(delta) +
      varintBytes(key.length) +
      key.length +
      varintBytes(value.length) +
      value.length;
    const need = this.at + body + 5;
    if (need > this.buffer.length) {
      this.buffer = Buffer.concat([this.buffer], Math.max(need, 2 * this.buffer.length));
    }
    this.varint(body);
    this.buffer[this.at++] = 0; // attributes
    this.varint(0); // time since the batch's
    this.varint(delta);
    this.varint(key.length);
    this.at += key.copy(this.buffer, this.at);
    this.varint(value.length);
    this.at += value.copy(this.buffer, this.at);
    this.varint(0); // headers
  }

  /** The finished batch; the builder is empty again. */
  take(): Buffer {
    const batch = Buffer.from(this.buffer.subarray(0, this.at));
    const now = BigInt(Date.now());
    batch.fill(0, 0, BATCH_HEADER_BYTES);
    batch.writeInt32BE(this.at - 12, 8);
    batch.writeInt32BE(-1, 12); // leader epoch
    batch[16] = 2; // magic
    batch.writeInt32BE(this.count - 1, 23);
    batch.writeBigInt64BE(now, 27);
    batch.writeBigInt64BE(now, 35);
    batch.writeBigInt64BE(-1n, 43); // no producer id
    batch.writeInt16BE(-1, 51);
    batch.writeInt32BE(-1, 53);
    batch.writeInt32BE(this.count, 57);
    batch.writeUInt32BE(crc32c(batch.subarray(CRC_FROM)), CRC_AT);
    this.at = BATCH_HEADER_BYTES;
    this.count = 0;
    return batch;
  }

  private varint(value: number): void {
    let zigzag = value * 2;
    for (; zigzag >= 0x80; zigzag >>>= 7) this.buffer[this.at++] = (zigzag & 0x7f) | 0x80;
    this.buffer[this.at++] = zigzag;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let zigzag = value * 2; zigzag >= 0x80; zigzag >>>= 7) bytes++;
  return bytes;
}

/**
 * Sends finished record batches to a broker that leads every partition (the benchmark's own), with
 * acks from all replicas, one request at a time. Fills a topic several times as fast as kafkajs,
 * and leaves the two cores to what is measured.
 */
export class RawProducer {
  private correlation = 0;
  private received: Buffer = Buffer.alloc(0);

  private constructor(private readonly socket: Socket) {}

  static async connect(address: string): Promise<RawProducer> {
    const [host, port] = address.split(':');
    const socket = connect(Number(port), host);
    socket.setNoDelay(true);
    await once(socket, 'connect');
    return new RawProducer(socket);
  }

  /** Appends a batch to each given partition; returns the broker's append time of each, in ms. */
  async send(topic: string, batches: ReadonlyMap<number, Buffer>): Promise<Map<number, number>> {
    const times = new Map<number, number>();
    for (let rest = batches; rest.size > 0;) {
      this.socket.write(this.request(topic, rest));
      const refused = readAnswer(await this.answer(), times);
      rest = new Map([...rest].filter(([partition]) => refused.has(partition)));
      if (rest.size > 0) await sleep(RETRY_MS);
    }
    return times;
  }

  close(): void {
    this.socket.destroy();
  }

  private request(topic: string, batches: ReadonlyMap<number, Buffer>): Buffer {
    const name = Buffer.from(topic);
    const head = Buffer.alloc(4 + 2 + 2 + 4 + 2 + 2 + 2 + 4 + 4 + 2 + name.length + 4);
    let at = 4;
    at = head.writeInt16BE(PRODUCE_API, at);
    at = head.writeInt16BE(PRODUCE_VERSION, at);
    at = head.writeInt32BE(++this.correlation, at);
    at = head.writeInt16BE(-1, at); // no client id
    at = head.writeInt16BE(-1, at); // no transaction
    at = head.writeInt16BE(ACKS_ALL, at);
    at = head.writeInt32BE(TIMEOUT_MS, at);
    at = head.writeInt32BE(1, at); // topics
    at = head.writeInt16BE(name.length, at);
    at += name.copy(head, at);
    head.writeInt32BE(batches.size, at);
    const parts: Buffer[] = [head];
    for (const [partition, batch] of batches) {
      const entry = Buffer.alloc(8);
      entry.writeInt32BE(partition, 0);
      entry.writeInt32BE(batch.length, 4);
      parts.push(entry, batch);
    }
    const all = Buffer.concat(parts);
    all.writeInt32BE(all.length - 4, 0);
    return all;
  }

  private async answer(): Promise<Buffer> {
    for (;;) {
      const size = this.received.length < 4 ? Infinity : this.received.readInt32BE(0);
      if (this.received.length >= 4 + size) {
        const answer = this.received.subarray(4, 4 + size);
        this.received = this.received.subarray(4 + size);
        return answer;
      }
      const [chunk] = (await once(this.socket, 'data')) as [Buffer];
      this.received = Buffer.concat([this.received, chunk]);
    }
  }
}

/**
 * Correlation i32, then [topic string, [partition i32, error i16, offset i64, append time i64]].
 * Returns the partitions to try again: a topic just made may not have its leaders yet.
 */
function readAnswer(answer: Buffer, times: Map<number, number>): Set<number> {
  const refused = new Set<number>();
  let at = 8;
  at += 2 + answer.readInt16BE(at);
  const partitions = answer.readInt32BE(at);
  at += 4;
  for (let i = 0; i < partitions; i++, at += 22) {
    const partition = answer.readInt32BE(at);
    const error = answer.readInt16BE(at + 4);
    if (error === 0) times.set(partition, Number(answer.readBigInt64BE(at + 14)));
    else if (error === UNKNOWN_PARTITION || error === NOT_LEADER) refused.add(partition);
    else throw new Error(`the broker refused a batch: error ${String(error)}`);
  }
  return refused;
}
