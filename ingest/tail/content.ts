import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { Readable, pipeline } from 'node:stream';
import { constants, createGunzip, gunzipSync } from 'node:zlib';
import type { Gunzip } from 'node:zlib';
import { LOST_BEHIND_ZEROS, isPadding } from '../files/gzip-padding.js';

/** The content of an open file; it stays readable when the file is renamed or deleted. */
export interface Content {
  readonly fileId: string;
  readonly gz: boolean;
  /** Of a gz file: whether its end was reached, and whether it is one. */
  readonly ended: 'no' | 'whole' | 'cut_short';
  /** Up to `length` bytes from an offset; fewer at the end as it is now. */
  read(offset: number, length: number): Promise<Buffer>;
  /** What the system says of the file now. */
  stats(): Promise<FileStats>;
  close(): Promise<void>;
}

export interface FileStats {
  readonly fileId: string;
  readonly size: number;
  readonly mtimeMs: number;
  /** When it was created; undefined where the file system does not say it. */
  readonly bornMs: number | undefined;
  readonly isFile: boolean;
  readonly isFolder: boolean;
}

interface BigStats {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly birthtimeNs: bigint;
  isFile(): boolean;
  isDirectory(): boolean;
}

/** Inodes of some file systems are beyond the integers of a double: they stay text. */
export function fileStats(stats: BigStats): FileStats {
  return {
    fileId: `${String(stats.dev)}:${String(stats.ino)}`,
    size: Number(stats.size),
    mtimeMs: Number(stats.mtimeNs) / 1e6,
    bornMs: stats.birthtimeNs > 0n ? Number(stats.birthtimeNs) / 1e6 : undefined,
    isFile: stats.isFile(),
    isFolder: stats.isDirectory(),
  };
}

/** Opens a file, decompressing if it is gz. */
export async function openContent(path: string, gz: boolean): Promise<Content> {
  const handle = await open(path, 'r');
  const stats = async (): Promise<FileStats> => fileStats(await handle.stat({ bigint: true }));
  const { fileId } = await stats();
  return gz ? new GzContent(handle, fileId, stats) : new PlainContent(handle, fileId, stats);
}

class PlainContent implements Content {
  readonly gz = false;
  readonly ended = 'no';

  constructor(
    private readonly handle: FileHandle,
    readonly fileId: string,
    readonly stats: () => Promise<FileStats>,
  ) {}

  async read(offset: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.handle.read(
        buffer,
        filled,
        length - filled,
        offset + filled,
      );
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

const PACKED_CHUNK_BYTES = 64 * 1024;

/** zlib's word for an input that ends within a member: the file is still being written. */
const CUT_SHORT = 'Z_BUF_ERROR';

/**
 * Decompresses forward and keeps what lies behind the last offset asked for; going back further
 * begins anew. An end is an end for good: a file that has grown is to be opened again.
 */
class GzContent implements Content {
  readonly gz = true;
  ended: Content['ended'] = 'no';
  private gunzip: Gunzip | undefined;
  private chunks: AsyncIterator<Buffer, undefined> | undefined;
  private kept: Buffer = Buffer.alloc(0);
  private keptOffset = 0;
  /** Where the file ended when its end was read. */
  private sourceEnd: number | undefined;
  private stop = (): void => undefined;

  constructor(
    private readonly handle: FileHandle,
    readonly fileId: string,
    readonly stats: () => Promise<FileStats>,
  ) {}

  /** @throws what zlib says of damaged bytes; RangeError for data that it would pass over. */
  async read(offset: number, length: number): Promise<Buffer> {
    try {
      return await this.readOn(offset, length);
    } catch (error) {
      // What was decompressed since the last read is gone: the next one begins anew.
      this.stop();
      this.chunks = undefined;
      throw error;
    }
  }

  private async readOn(offset: number, length: number): Promise<Buffer> {
    if (this.chunks === undefined || offset < this.keptOffset) this.rewind();
    const parts = [this.kept];
    let end = this.keptOffset + this.kept.length;
    for (let chunk; end < offset + length && (chunk = await this.next());) {
      // What lies before the offset is passed over, chunk by chunk.
      if (end <= offset) parts.length = 0;
      parts.push(chunk);
      end += chunk.length;
    }
    const bytes = Buffer.concat(parts);
    const start = end - bytes.length;
    this.kept = bytes.subarray(Math.max(0, offset - start));
    this.keptOffset = Math.min(offset, end);
    return this.kept.subarray(0, length);
  }

  async close(): Promise<void> {
    this.stop();
    await this.handle.close();
  }

  private rewind(): void {
    this.stop();
    const gunzip = createGunzip();
    // No stream of the handle: destroying one closes the handle.
    const source = Readable.from(this.whole(), { objectMode: false });
    // An error reaches whoever iterates over `gunzip`.
    pipeline(source, gunzip, () => undefined);
    this.stop = () => {
      source.destroy();
      gunzip.destroy();
    };
    this.gunzip = gunzip;
    this.chunks = gunzip[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
    this.kept = Buffer.alloc(0);
    this.keptOffset = 0;
    this.ended = 'no';
    this.sourceEnd = undefined;
  }

  private async next(): Promise<Buffer | undefined> {
    if (this.ended !== 'no') return undefined;
    try {
      const { done, value } = await this.chunks!.next();
      if (done !== true) return value;
    } catch (error) {
      if ((error as { code?: string }).code !== CUT_SHORT) throw error;
      this.ended = 'cut_short';
      return undefined;
    }
    await this.assertPaddingFrom(this.gunzip!.bytesWritten);
    this.ended = 'whole';
    return undefined;
  }

  private async assertPaddingFrom(offset: number): Promise<void> {
    // What has been appended since is no padding, and is read when the file is opened again.
    for await (const chunk of this.packed(offset, this.sourceEnd)) {
      if (!isPadding(chunk)) throw new RangeError(LOST_BEHIND_ZEROS);
    }
  }

  private async *whole(): AsyncGenerator<Buffer> {
    this.sourceEnd = yield* this.packed(0);
  }

  /** The file from an offset on, to its end or a place before that; returns where that is. */
  private async *packed(offset: number, to = Infinity): AsyncGenerator<Buffer, number> {
    for (let at = offset; ;) {
      const buffer = Buffer.allocUnsafe(Math.min(PACKED_CHUNK_BYTES, Math.max(0, to - at)));
      const { bytesRead } = await this.handle.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) return at;
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  }
}

/**
 * What the first bytes of a gz file decompress to, as far as they go. Undefined if that is nothing:
 * they are damaged, or cut within the header; the content of a whole gz file may be empty.
 */
export function gunzipHead(bytes: Buffer): Buffer | undefined {
  try {
    const content = gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH });
    return content.length > 0 ? content : gunzipSync(bytes);
  } catch {
    return undefined;
  }
}
