import { Decompress } from 'fzstd';
import xxhash, { type XXHash } from 'xxhash-wasm';
import type { ByteReader } from './byte-reader.js';

/** Frames of this magic are passed over, by their last nibble (RFC 8878, 3.1.2). */
const SKIPPABLE = 0x184d2a50;
const FRAME = 0xfd2fb528;
/** What the zstd tool allows without `--long`; larger windows are memory that a file asks for. */
const WINDOW_BYTES_MAX = 128 * 1024 * 1024;

/**
 * The content of a zstd file, all its frames, block by block (RFC 8878): memory is the window of a
 * frame and one block, whatever the file would become. Checksums are compared where there are any.
 * @throws RangeError saying what is wrong.
 */
export async function* unzstd(reader: ByteReader): AsyncGenerator<Buffer> {
  const hashes = await xxhash();
  while (!(await reader.isAtEnd())) {
    const magic = (await bytes(reader, 4)).readUInt32LE();
    if ((magic & ~0xf) === SKIPPABLE) {
      const length = (await bytes(reader, 4)).readUInt32LE();
      if (!(await reader.skip(length))) throw endsEarly();
    } else if (magic === FRAME) {
      yield* frame(reader, magic, () => hashes.create64());
    } else throw new RangeError('no zstd frame begins where the last one ended');
  }
}

/** `newHash`: XXH64 with seed 0, of which the lower half is stored behind a frame. */
async function* frame(
  reader: ByteReader,
  magic: number,
  newHash: () => XXHash<bigint>,
): AsyncGenerator<Buffer> {
  const [header, hasChecksum] = await frameHeader(reader, magic);
  const hash = hasChecksum ? newHash() : undefined;
  let content: Uint8Array[] = [];
  const decoder = new Decompress((chunk) => content.push(chunk));
  let before = header;
  for (let isLast = false; !isLast;) {
    const blockHeader = await bytes(reader, 3);
    const value = blockHeader.readUIntLE(0, 3);
    isLast = (value & 1) === 1;
    // A block of one repeated byte holds that byte, whatever its size says.
    const length = ((value >> 1) & 3) === 1 ? 1 : value >> 3;
    decoder.push(Buffer.concat([before, blockHeader, await bytes(reader, length)]), isLast);
    before = Buffer.alloc(0);
    for (const { buffer, byteOffset, byteLength } of content) {
      const part = Buffer.from(buffer, byteOffset, byteLength);
      hash?.update(part);
      if (byteLength > 0) yield part;
    }
    content = [];
  }
  if (hash === undefined) return;
  const stored = (await bytes(reader, 4)).readUInt32LE();
  if (Number(BigInt.asUintN(32, hash.digest())) !== stored)
    throw new RangeError('the checksum of the zstd data is wrong');
}

/** The header of a frame, from its magic on; and whether a checksum follows the frame. */
async function frameHeader(
  reader: ByteReader,
  magic: number,
): Promise<readonly [header: Buffer, hasChecksum: boolean]> {
  const start = Buffer.alloc(5);
  start.writeUInt32LE(magic);
  const descriptor = (await bytes(reader, 1))[0]!;
  // The decoder is told of no checksum: it would pass over it.
  start[4] = descriptor & ~4;
  const isSingle = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  const rest = await bytes(reader, (isSingle ? 0 : 1) + dictionaryBytes + sizeBytes);
  if (dictionaryBytes > 0) throw new RangeError('the zstd data needs a dictionary');
  const windowBytes = isSingle ? contentBytes(rest) : windowOf(rest[0]!);
  if (windowBytes > WINDOW_BYTES_MAX) {
    const limit = `${WINDOW_BYTES_MAX} bytes are the limit`;
    throw new RangeError(`the zstd data needs a window of ${windowBytes} bytes, ${limit}`);
  }
  return [Buffer.concat([start, rest]), (descriptor & 4) !== 0];
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function contentBytes(field: Buffer): number {
  if (field.length === 8) return Number(field.readBigUInt64LE());
  return field.readUIntLE(0, field.length) + (field.length === 2 ? 256 : 0);
}

async function bytes(reader: ByteReader, length: number): Promise<Buffer> {
  if (length === 0) return Buffer.alloc(0);
  const taken = await reader.take(length);
  if (taken === null) throw endsEarly();
  return taken;
}

function endsEarly(): RangeError {
  return new RangeError('the zstd data ends early: the file is truncated');
}
