import { createRequire } from 'node:module';
import { decodeRecordSet } from '../stream/kafka/record-batch.js';
import type { RecordSet, RecordSink } from '../stream/kafka/record-batch.js';

/**
 * CPU time per record of decoding an uncompressed record set of 1 MiB: 140-byte values, short keys,
 * batches of about 16 KiB. Run: `npm run build && node dist/bench/record-decode.js`.
 */
const VALUE_BYTES = 140;
const RECORDS_PER_BATCH = 110;
const SET_BYTES = 1024 * 1024;
const ROUNDS = 1_000;

interface Encoded {
  readonly buffer: Buffer;
}
const require = createRequire(import.meta.url);
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js') as {
  RecordBatch: (options: object) => Promise<Encoded>;
};
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0/index.js') as (
  options: object,
) => Encoded;

class Counter implements RecordSink {
  records = 0;
  bytes = 0;

  onRecord(_source: Uint8Array, start: number, end: number): void {
    this.records += 1;
    this.bytes += end - start;
  }
  onNull(): void {
    this.records += 1;
  }
  onControl(): void {
    this.records += 1;
  }
}

async function makeSet(): Promise<RecordSet> {
  const value = Buffer.alloc(VALUE_BYTES, 'c');
  const batches: Buffer[] = [];
  for (let offset = 0, bytes = 0; bytes < SET_BYTES; offset += RECORDS_PER_BATCH) {
    const records = Array.from({ length: RECORDS_PER_BATCH }, (_, index) =>
      encodeRecord({
        offsetDelta: index,
        timestampDelta: index,
        key: Buffer.from(`ad-${String(index % 50)}`),
        value,
      }),
    );
    const lastOffsetDelta = RECORDS_PER_BATCH - 1;
    const batch = await RecordBatch({ firstOffset: offset, lastOffsetDelta, records });
    batches.push(Buffer.from(batch.buffer));
    bytes += batch.buffer.length;
  }
  const recordSet = Buffer.concat(batches);
  return { topic: 'bench', partition: 0, recordSet, abortedTransactions: [] };
}

function measure(set: RecordSet, verifyCrc: boolean): void {
  const sink = new Counter();
  const start = process.cpuUsage();
  for (let round = 0; round < ROUNDS; round++) decodeRecordSet(set, 0, sink, { verifyCrc });
  const micros = process.cpuUsage(start).user;
  const nanos = (micros * 1000) / sink.records;
  const perSecond = Math.round(1e6 * (sink.records / micros)).toLocaleString('en');
  const crc = verifyCrc ? 'with CRC' : 'without CRC';
  console.log(`${crc}: ${nanos.toFixed(1)} ns CPU per record, ${perSecond} records/s per core`);
}

const set = await makeSet();
measure(set, true); // warms up
for (const verifyCrc of [false, true, false, true]) measure(set, verifyCrc);
