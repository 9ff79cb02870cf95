import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { TruecountError } from '../../core/errors.js';
import { assertReadable, compressionOf, decompressed } from './decompress.js';

const CHUNK_BYTES = 256 * 1024;
const FINGERPRINT_BYTES = 64 * 1024;

/** A file of clicks, or stdin, that is read once from one end to the other. */
export interface InputFile {
  readonly name: string;
  /** Bytes on disk; undefined where nobody knows beforehand (stdin, a pipe). */
  readonly sizeBytes: number | undefined;
  /** Tells one state of a file from all others; undefined where it cannot be read twice. */
  readonly identity: string | undefined;
  /**
   * Its content, decompressed, from an offset of the content on.
   * @throws TruecountError `invalid_argument` if it cannot be read, or is damaged.
   */
  chunks(from?: number): AsyncIterable<Buffer>;
  /** Bytes of `sizeBytes` behind which `chunks` is by now, and at which it began. */
  readBytes(): number;
  startBytes(): number;
}

/**
 * Looks at a file; nothing stays open. `-` is stdin.
 * @throws TruecountError `not_found`, `invalid_argument` for a folder or what cannot be read, and
 * for a compression that is not read.
 */
export function openInputFile(path: string): InputFile {
  if (path === '-') return streamed('stdin', () => process.stdin as AsyncIterable<Buffer>);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) {
    throw new TruecountError('not_found', `there is no file ${path}`, {
      hint: 'name a file of clicks, or - for stdin',
    });
  }
  if (stats.isDirectory()) {
    throw new TruecountError('invalid_argument', `${path} is a folder`, {
      hint: `name the files in it: ${path.replace(/\/$/, '')}/*`,
    });
  }
  return stats.isFile() ? regular(path, stats) : streamed(path, () => fileChunks(path));
}

function streamed(name: string, source: () => AsyncIterable<Buffer>): InputFile {
  return {
    name,
    sizeBytes: undefined,
    identity: undefined,
    chunks: () => decompressed(source(), name),
    readBytes: () => 0,
    startBytes: () => 0,
  };
}

function regular(path: string, stats: Stats): InputFile {
  const start = readStart(path);
  assertReadable(start, path);
  let startBytes = 0;
  let readBytes = 0;
  async function* counted(from: number): AsyncGenerator<Buffer> {
    startBytes = from;
    readBytes = from;
    for await (const chunk of fileChunks(path, from)) {
      readBytes += chunk.length;
      yield chunk;
    }
  }
  const isPlain = compressionOf(start) === 'none';
  return {
    name: path,
    sizeBytes: stats.size,
    identity: identityOf(start, stats),
    chunks: (from = 0) => (isPlain ? counted(from) : behind(from, decompressed(counted(0), path))),
    readBytes: () => Math.min(readBytes, stats.size),
    startBytes: () => startBytes,
  };
}

/** A file that grew, was written again or replaced is another one. */
function identityOf(start: Buffer, { size, mtimeMs }: Stats): string {
  return createHash('sha256').update(`${size} ${mtimeMs} `).update(start).digest('hex');
}

function readStart(path: string): Buffer {
  const buffer = Buffer.alloc(FINGERPRINT_BYTES);
  try {
    const file = openSync(path, 'r');
    try {
      return buffer.subarray(0, readSync(file, buffer, 0, buffer.length, 0));
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Without a start it is read as it comes: a pipe has no positions. */
async function* fileChunks(path: string, start?: number): AsyncGenerator<Buffer> {
  const options = { ...(start === undefined ? {} : { start }), highWaterMark: CHUNK_BYTES };
  try {
    yield* createReadStream(path, options) as AsyncIterable<Buffer>;
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** The part of a content from an offset on. */
async function* behind(offset: number, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let passed = 0;
  for await (const chunk of source) {
    if (passed + chunk.length > offset) yield chunk.subarray(Math.max(0, offset - passed));
    passed += chunk.length;
  }
}

function unreadable(path: string, cause: unknown): TruecountError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new TruecountError('invalid_argument', `cannot read ${path}: ${why}`, {
    hint: 'check its permissions; ingesting it again counts nothing twice',
    cause,
  });
}
