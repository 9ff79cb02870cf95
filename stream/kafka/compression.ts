import * as zlib from 'node:zlib';
import { Decompress as ZstdStream } from 'fzstd';
import { decompressFrameSync as lz4Frame } from 'lz4-napi';
import { uncompressSync as snappyBlock } from 'snappy';

/** Codec numbers of the low three bits of a record batch's attributes. */
export const CODEC = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;

/**
 * The most bytes that the records of one batch may have once decompressed. Brokers refuse batches
 * above 1 MiB compressed by default (`message.max.bytes`), so this allows a ratio of 64. Memory of
 * a reader is bounded by it, whatever a producer sends.
 */
export const MAX_INFLATED_BYTES = 64 * 1024 * 1024;

/**
 * Decompresses the records of one batch.
 *
 * @throws Error (any kind) when the bytes are damaged or would exceed `maxBytes`; the caller names
 * topic, partition and offset.
 */
export function decompress(codec: number, data: Buffer, maxBytes = MAX_INFLATED_BYTES): Uint8Array {
  switch (codec) {
    case CODEC.gzip:
      return zlib.gunzipSync(data, { maxOutputLength: maxBytes });
    case CODEC.snappy:
      return snappy(data, maxBytes);
    case CODEC.lz4:
      return lz4(data, maxBytes);
    case CODEC.zstd:
      return zstd(data, maxBytes);
    default:
      throw new Error(`unknown compression codec ${String(codec)}`);
  }
}

function refuse(maxBytes: number): never {
  throw new Error(`it would decompress to more than ${String(maxBytes)} bytes`);
}

/** Header of the block stream that the Java library writes: magic, version, compatible version. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;

/** Java clients frame snappy as xerial blocks with 4-byte lengths; librdkafka and Go send raw. */
function snappy(data: Buffer, maxBytes: number): Uint8Array {
  if (data.length < XERIAL_HEADER_BYTES || !data.subarray(0, 8).equals(XERIAL_MAGIC)) {
    return snappyRaw(data, maxBytes);
  }
  const blocks: Uint8Array[] = [];
  let total = 0;
  let at = XERIAL_HEADER_BYTES;
  while (at < data.length) {
    if (at + 4 > data.length) throw new Error('a snappy block is cut off');
    const length = data.readInt32BE(at);
    at += 4;
    if (length <= 0 || at + length > data.length) throw new Error('a snappy block is cut off');
    const block = snappyRaw(data.subarray(at, at + length), maxBytes - total);
    blocks.push(block);
    total += block.length;
    at += length;
  }
  return blocks.length === 1 && blocks[0] !== undefined ? blocks[0] : Buffer.concat(blocks, total);
}

/** A raw snappy block starts with its inflated length: checked before anything is allocated. */
function snappyRaw(data: Buffer, maxBytes: number): Uint8Array {
  let length = 0;
  for (let index = 0, scale = 1; index < 5; index++, scale *= 128) {
    const byte = data[index];
    if (byte === undefined) throw new Error('the snappy length is cut off');
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  if (length > maxBytes) refuse(maxBytes);
  return snappyBlock(data, { asBuffer: true }) as Buffer;
}

const LZ4_MAGIC = 0x184d2204;
/** A byte of LZ4 input can stand for at most 255 bytes of output (a match length continuation). */
const LZ4_MAX_RATIO = 255;

function lz4(data: Buffer, maxBytes: number): Uint8Array {
  if (lz4OutputBound(data) > maxBytes) refuse(maxBytes);
  return lz4Frame(data);
}

/**
 * Upper bound of a frame's inflated size from its block headers alone (LZ4 frame format 1.6.2),
 * since Java producers write no content size and the native decoder takes no limit.
 */
function lz4OutputBound(data: Buffer): number {
  if (data.length < 7 || data.readUInt32LE(0) !== LZ4_MAGIC) throw new Error('no LZ4 frame');
  const flags = data.readUInt8(4);
  const blockMax = 2 ** (8 + 2 * ((data.readUInt8(5) >> 4) & 7));
  const checksumBytes = (flags & 0x10) === 0 ? 0 : 4;
  let at = 7 + ((flags & 0x08) === 0 ? 0 : 8) + ((flags & 0x01) === 0 ? 0 : 4);
  let bound = 0;
  for (;;) {
    if (at + 4 > data.length) throw new Error('the LZ4 frame is cut off');
    const word = data.readUInt32LE(at);
    if (word === 0) return bound;
    const stored = word >= 0x80000000;
    const length = stored ? word - 0x80000000 : word;
    bound += stored ? length : Math.min(blockMax, length * LZ4_MAX_RATIO);
    at += 4 + length + checksumBytes;
  }
}

type ZstdSync = (data: Buffer, options: { maxOutputLength: number }) => Buffer;
/** In node:zlib since Node 22.15; older versions use the package, about five times slower. */
const nativeZstd = (zlib as unknown as { zstdDecompressSync?: ZstdSync }).zstdDecompressSync;

function zstd(data: Buffer, maxBytes: number): Uint8Array {
  if (nativeZstd !== undefined) return nativeZstd(data, { maxOutputLength: maxBytes });
  refuseLargeZstdWindow(data, maxBytes);
  const chunks: Uint8Array[] = [];
  let total = 0;
  const stream = new ZstdStream((chunk) => {
    total += chunk.length;
    if (total > maxBytes) refuse(maxBytes);
    chunks.push(chunk);
  });
  stream.push(data, true);
  return Buffer.concat(chunks, total);
}

const ZSTD_MAGIC = 0xfd2fb528;

/** The decoder allocates the window that the frame header asks for: RFC 8878, section 3.1.1.1. */
function refuseLargeZstdWindow(data: Buffer, maxBytes: number): void {
  if (data.length < 6 || data.readUInt32LE(0) !== ZSTD_MAGIC) throw new Error('no zstd frame');
  const descriptor = data.readUInt8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  if (!singleSegment) {
    const window = data.readUInt8(5);
    const base = 2 ** (10 + (window >> 3));
    if (base + (base / 8) * (window & 7) > maxBytes) refuse(maxBytes);
    return;
  }
  const sizeFlag = descriptor >> 6;
  const at = 5 + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const sizeBytes = [1, 2, 4, 8][sizeFlag] ?? 8;
  if (at + sizeBytes > data.length) throw new Error('the zstd header is cut off');
  let size = sizeFlag === 1 ? 256 : 0;
  for (let index = 0; index < sizeBytes; index++) size += (data[at + index] ?? 0) * 256 ** index;
  if (size > maxBytes) refuse(maxBytes);
}
