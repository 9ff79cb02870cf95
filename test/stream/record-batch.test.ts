import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { compressFrameSync } from 'lz4-napi';
import { compressSync as snappyCompressSync } from 'snappy';
import { describe, expect, test } from 'vitest';
import { TruecountError } from '../../core/errors.js';
import { decompress } from '../../stream/kafka/compression.js';
import { decodeRecordSet, endOffsetOf } from '../../stream/kafka/record-batch.js';
import type { DecodeOptions, RecordSink } from '../../stream/kafka/record-batch.js';

/** The encoder of kafkajs: written by others, so both sides cannot share a mistake. */
const require = createRequire(import.meta.url);
interface Encoded {
  buffer: Buffer;
}
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js') as {
  RecordBatch: (options: object) => Promise<Encoded>;
};
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0/index.js') as (
  options: object,
) => Encoded;

const BASE_MS = 1_763_719_200_000;
const RECORDS_AT = 61;

interface Options {
  base?: number;
  values: (string | null)[];
  lastDelta?: number;
  producerId?: number;
  transactional?: boolean;
}

async function encode(options: Options): Promise<Buffer> {
  const records = options.values.map((value, index) =>
    encodeRecord({
      offsetDelta: index,
      timestampDelta: index * 100,
      key: index % 2 === 0 ? Buffer.from(`key-${String(index)}`) : null,
      value: value === null ? null : Buffer.from(value),
      headers: index % 3 === 0 ? { source: 'test' } : {},
    }),
  );
  const batch = await RecordBatch({
    firstOffset: options.base ?? 0,
    firstTimestamp: BASE_MS,
    maxTimestamp: BASE_MS + 5_000,
    lastOffsetDelta: options.lastDelta ?? options.values.length - 1,
    producerId: options.producerId ?? -1,
    transactional: options.transactional ?? false,
    records,
  });
  return Buffer.from(batch.buffer);
}

/** Same batch with other attributes and records, its length and checksum made right again. */
function rewrite(batch: Buffer, attributes: number, records = batch.subarray(RECORDS_AT)): Buffer {
  const result = Buffer.concat([batch.subarray(0, RECORDS_AT), records]);
  result.writeInt32BE(result.length - 12, 8);
  result.writeInt16BE(attributes, 21);
  result.writeUInt32BE(crc32c(result.subarray(21)), 17);
  return result;
}

/** An end-of-transaction marker as the broker writes it. */
async function marker(base: number, producerId: number, isCommit: boolean): Promise<Buffer> {
  const key = Buffer.from([0, 0, 0, isCommit ? 1 : 0]);
  const record = encodeRecord({ key, value: Buffer.alloc(6) });
  const options = { firstOffset: base, producerId, transactional: true, records: [record] };
  const batch = Buffer.from((await RecordBatch(options)).buffer);
  return rewrite(batch, 0x10 | 0x20);
}

class Collector implements RecordSink {
  readonly values: (string | null)[] = [];
  readonly offsets: number[] = [];
  readonly times: number[] = [];
  readonly controls: [number, number][] = [];

  onRecord(source: Uint8Array, start: number, end: number, offset: number, ms: number): void {
    this.values.push(Buffer.from(source.subarray(start, end)).toString());
    this.offsets.push(offset);
    this.times.push(ms);
  }
  onNull(offset: number, ms: number): void {
    this.values.push(null);
    this.offsets.push(offset);
    this.times.push(ms);
  }
  onControl(fromOffset: number, toOffset: number): void {
    this.controls.push([fromOffset, toOffset]);
  }
}

function asSet(
  recordSet: Buffer,
  abortedTransactions: { producerId: bigint; firstOffset: number }[] = [],
) {
  return { topic: 'clicks', partition: 3, recordSet, abortedTransactions };
}

function decode(recordSet: Buffer, fromOffset = 0, options: DecodeOptions = {}): Collector {
  const sink = new Collector();
  decodeRecordSet(asSet(recordSet), fromOffset, sink, options);
  return sink;
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return error instanceof TruecountError ? error.code : `other: ${String(error)}`;
  }
  return 'none';
}

const VALUES = ['{"a":1}', '', null, 'ü'.repeat(100), 'x'.repeat(20_000)];

describe('records of one batch', () => {
  test('come out with values, offsets and their own times; null is not empty', async () => {
    const sink = decode(await encode({ base: 5_000_000_000, values: VALUES }));
    expect(sink.values).toEqual(VALUES);
    expect(sink.offsets).toEqual([0, 1, 2, 3, 4].map((delta) => 5_000_000_000 + delta));
    expect(sink.times).toEqual([0, 1, 2, 3, 4].map((index) => BASE_MS + index * 100));
  });

  test('carry the append time of the broker where the topic is stamped by it', async () => {
    const batch = rewrite(await encode({ values: ['a', 'b'] }), 0x08);
    expect(decode(batch).times).toEqual([BASE_MS + 5_000, BASE_MS + 5_000]);
  });

  test('below the wanted offset are skipped', async () => {
    const sink = decode(await encode({ base: 10, values: ['a', 'b', 'c'] }), 11);
    expect(sink.offsets).toEqual([11, 12]);
  });

  test('may have times and offsets of any size that a double holds', async () => {
    const records = [0, 2 ** 33, 2 ** 40 + 1, -3].map((timestampDelta, offsetDelta) =>
      encodeRecord({ offsetDelta, timestampDelta, value: Buffer.from('v') }),
    );
    const base = Number.MAX_SAFE_INTEGER - 10;
    const batch = await RecordBatch({
      firstOffset: base.toString(),
      firstTimestamp: 1_000,
      lastOffsetDelta: 3,
      records,
    });
    const sink = decode(Buffer.from(batch.buffer));
    expect(sink.times).toEqual([1_000, 1_000 + 2 ** 33, 1_001 + 2 ** 40, 997]);
    expect(sink.offsets[3]).toBe(base + 3);
  });

  test('are handed over for any values, whole', async () => {
    const values = fc.array(fc.option(fc.string({ maxLength: 300 })), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(values, fc.nat(2 ** 40), async (list, base) => {
        const sink = decode(await encode({ base, values: list }));
        expect(sink.values).toEqual(list);
        expect(sink.offsets).toEqual(list.map((_, index) => base + index));
      }),
    );
  });
});

describe('a record set', () => {
  test('ends at its last complete batch, also when the tail was compacted away', async () => {
    const first = await encode({ base: 0, values: ['a', 'b'] });
    const second = await encode({ base: 2, values: ['c'], lastDelta: 9 });
    const cut = Buffer.concat([first, second, first.subarray(0, first.length - 1)]);
    const sink = new Collector();
    expect(decodeRecordSet(asSet(cut), 0, sink)).toBe(12);
    expect(sink.values).toEqual(['a', 'b', 'c']);
    expect(endOffsetOf(asSet(cut))).toBe(12);
  });

  test('without a complete batch moves nothing', async () => {
    const batch = await encode({ base: 7, values: ['a'] });
    for (const length of [0, 5, 60, 61, batch.length - 1]) {
      const part = batch.subarray(0, length);
      expect(endOffsetOf(asSet(part))).toBeUndefined();
      expect(decodeRecordSet(asSet(part), 7, new Collector())).toBe(7);
    }
  });

  test('reports a batch that compaction emptied as a range without records', async () => {
    const batch = await encode({ base: 20, values: [], lastDelta: 4 });
    const sink = decode(batch, 21);
    expect(sink.controls).toEqual([[21, 25]]);
  });
});

describe('transactions', () => {
  test('aborted records are ranges, committed ones records, each offset in one call', async () => {
    const mine = { producerId: 9, transactional: true };
    const batches = [
      await encode({ base: 0, values: ['a0', 'a1'], ...mine }),
      await encode({ base: 2, values: ['plain'] }),
      await encode({ base: 3, values: ['other'], producerId: 8, transactional: true }),
      await marker(4, 9, false),
      await encode({ base: 5, values: ['b'], ...mine }),
      await marker(6, 9, true),
      await marker(7, 8, true),
    ];
    const sink = new Collector();
    const set = asSet(Buffer.concat(batches), [{ producerId: 9n, firstOffset: 0 }]);
    expect(decodeRecordSet(set, 1, sink)).toBe(8);
    expect(sink.values).toEqual(['plain', 'other', 'b']);
    expect(sink.controls).toEqual([
      [1, 2],
      [4, 5],
      [6, 7],
      [7, 8],
    ]);
  });

  test('a producer whose second transaction aborts keeps its first', async () => {
    const mine = { producerId: 9, transactional: true };
    const batches = [
      await encode({ base: 0, values: ['kept'], ...mine }),
      await marker(1, 9, true),
      await encode({ base: 2, values: ['gone'], ...mine }),
      await marker(3, 9, false),
    ];
    const sink = new Collector();
    decodeRecordSet(asSet(Buffer.concat(batches), [{ producerId: 9n, firstOffset: 2 }]), 0, sink);
    expect(sink.values).toEqual(['kept']);
    expect(sink.controls.map(([from]) => from)).toEqual([1, 2, 3]);
  });
});

/** Frames as the Java library writes them: blocks with a length in front of each. */
function xerial(data: Buffer, blockBytes: number): Buffer {
  const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
  const parts: Buffer[] = [header];
  for (let at = 0; at < data.length; at += blockBytes) {
    const block = snappyCompressSync(data.subarray(at, at + blockBytes));
    const length = Buffer.alloc(4);
    length.writeInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

/** A zstd frame of stored blocks (RFC 8878): enough to test the framing on any Node version. */
function zstdStored(data: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58])];
  for (let at = 0; at < data.length; at += 65_536) {
    const block = data.subarray(at, at + 65_536);
    const isLast = at + 65_536 >= data.length;
    const header = Buffer.alloc(3);
    header.writeUIntLE((block.length << 3) | (isLast ? 1 : 0), 0, 3);
    parts.push(header, block);
  }
  return Buffer.concat(parts);
}

const CODECS: [string, number, (data: Buffer) => Buffer][] = [
  ['gzip', 1, (data) => gzipSync(data)],
  ['snappy, raw', 2, (data) => snappyCompressSync(data)],
  ['snappy, xerial blocks', 2, (data) => xerial(data, 1_000)],
  ['lz4', 3, (data) => compressFrameSync(data)],
  ['zstd', 4, zstdStored],
];

describe.each(CODECS)('codec %s', (_name, codec, compress) => {
  test('gives the same records as no codec', async () => {
    const plain = await encode({ base: 3, values: VALUES });
    const batch = rewrite(plain, codec, compress(plain.subarray(RECORDS_AT)));
    expect(decode(batch).values).toEqual(VALUES);
  });

  test('is cut off with the error for damage', async () => {
    const plain = await encode({ values: VALUES });
    const packed = compress(plain.subarray(RECORDS_AT));
    for (let length = 0; length < packed.length; length += 7) {
      const batch = rewrite(plain, codec, packed.subarray(0, length));
      expect(codeOf(() => decode(batch))).toBe('corrupt_record_batch');
    }
  });

  test('refuses to inflate beyond the bound', () => {
    const bomb = compress(Buffer.alloc(3_000_000));
    expect(() => decompress(codec, bomb, 1_000_000)).toThrow();
    expect(decompress(codec, bomb, 4_500_000)).toHaveLength(3_000_000);
  });
});

describe('damage', () => {
  test('of any byte behind the checksum is found', async () => {
    const batch = await encode({ values: ['a', 'b'] });
    for (let at = 17; at < batch.length; at++) {
      const bad = Buffer.from(batch);
      bad[at] = (bad[at] ?? 0) ^ 0x40;
      expect(codeOf(() => decode(bad))).toBe('corrupt_record_batch');
    }
  });

  test('is told with topic, partition and offset', async () => {
    const batch = await encode({ base: 42, values: ['a'] });
    batch[70] = (batch[70] ?? 0) ^ 1;
    expect(() => decode(batch)).toThrow(/clicks\/3 at offset 42: its CRC-32C does not match/);
  });

  test('an older format and an unknown codec have a clear error', async () => {
    const batch = await encode({ values: ['a'] });
    const old = Buffer.from(batch);
    old[16] = 1;
    expect(() => decode(old)).toThrow(/version 1, only version 2 is read/);
    expect(() => decode(rewrite(batch, 5))).toThrow(/unknown compression codec 5/);
  });

  test('never ends in another error, a hang or an offset out of place', async () => {
    const plain = await encode({ base: 100, values: ['a', null, 'b'.repeat(200)] });
    const seeds = CODECS.map(([, codec, compress]) =>
      rewrite(plain, codec, compress(plain.subarray(RECORDS_AT))),
    ).concat(plain, await marker(50, 1, false));
    const change = fc.record({ at: fc.nat(400), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.constantFrom(...seeds), fc.array(change, { minLength: 1 }), (seed, list) => {
        const bad = Buffer.from(seed);
        for (const { at, byte } of list) bad[at % bad.length] = byte;
        const sink = new Collector();
        const set = asSet(bad, [{ producerId: 1n, firstOffset: 0 }]);
        const code = codeOf(() => decodeRecordSet(set, 0, sink, { verifyCrc: false }));
        expect(['none', 'corrupt_record_batch']).toContain(code);
        const sorted = [...sink.offsets].sort((a, b) => a - b);
        expect(sink.offsets).toEqual(sorted);
        expect(new Set(sorted).size).toBe(sorted.length);
      }),
      { numRuns: 20_000 },
    );
  });
});
