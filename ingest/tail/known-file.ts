import { createHash } from 'node:crypto';
import type { ReaderState } from '../formats/record-reader.js';

/** Bytes of a sample at most: enough for the first lines of any log. */
export const SAMPLE_BYTES_MAX = 1024;

/** What is remembered of some bytes, to know them again. */
export interface Sample {
  readonly bytes: number;
  /** base64url of their SHA-256. */
  readonly sha256: string;
}

/** A place in the content of a file, and what was read before it. */
export interface Place {
  /** Bytes of content (of a gz file: decompressed) whose clicks the broker has acknowledged. */
  readonly offset: number;
  /** The first bytes before the offset, up to SAMPLE_BYTES_MAX of them. */
  readonly head: Sample;
  /** The last bytes before the offset, likewise. */
  readonly tail: Sample;
  /** The offset lies within a line over the limit, the rest of which is to be passed over. */
  readonly skipping: boolean;
  /** What the reader of lines remembers; null before the first line. */
  readonly reader: ReaderState | null;
}

/** How far the content of a file was read. */
export interface Position extends Place {
  /**
   * The file was left alone, and held so many bytes then: the lines that end before are read, for
   * what stands behind them, and not sent.
   */
  readonly from?: number;
  /**
   * The last line that was read had no end: this is before it. If there is more one day, the line
   * is read again whole, from here.
   */
  readonly unended?: Place | undefined;
}

/** One content that the tail has begun to read, and the file that holds it. */
export interface KnownFile extends Position {
  /** Its number in the state, never used again. */
  readonly id: number;
  /** The name it has, or had when it was last seen. */
  readonly path: string;
  /** The name under which it was found: another one now means that it was rotated away. */
  readonly firstPath: string;
  /** Device and inode of the file. */
  readonly fileId: string;
  /** Of a gz file that was read to its end: its size then, compressed. */
  readonly archiveBytes: number | null;
  /** When a scan last found the file, ms since 1970. */
  readonly lastSeenMs: number;
}

/** What a scan found of one file, whatever number of names it has. */
export interface SeenFile {
  readonly path: string;
  readonly fileId: string;
  /** Bytes on disk. */
  readonly size: number;
  readonly mtimeMs: number;
  readonly gz: boolean;
  /** The first SAMPLE_BYTES_MAX bytes of the content (decompressed), or what there is. */
  readonly head: Buffer;
  /**
   * `asked`: a pattern names it. `rotated`: it has the name of a file that was asked for with
   * something behind it. `gone`: it has no name any more, and is still open here.
   */
  readonly named: 'asked' | 'rotated' | 'gone';
  /** Since when size and time of change have been as they are, as far as the tail saw. */
  readonly quietSinceMs: number;
  /** When the tail saw it first, since it runs. */
  readonly firstSeenMs: number;
  /** When it was created, or if the file system does not say that, `firstSeenMs`. */
  readonly appearedMs: number;
}

export const NOTHING: Sample = { bytes: 0, sha256: '' };

export const START: Position = {
  offset: 0,
  head: NOTHING,
  tail: NOTHING,
  skipping: false,
  reader: null,
};

export function sampleOf(bytes: Buffer): Sample {
  if (bytes.length === 0) return NOTHING;
  const sha256 = createHash('sha256').update(bytes).digest('base64url');
  return { bytes: bytes.length, sha256 };
}

/** Whether the bytes begin with those of the sample. */
export function beginsWith(bytes: Buffer, sample: Sample): boolean {
  if (bytes.length < sample.bytes) return false;
  return sampleOf(bytes.subarray(0, sample.bytes)).sha256 === sample.sha256;
}

/** Hashes by length of heads: they are asked for at each look, and files seldom change. */
const HASHES = new WeakMap<Buffer, Map<number, string>>();

/** The hash of the first bytes of a `SeenFile.head`. */
export function headHash(head: Buffer, bytes: number): string {
  let hashes = HASHES.get(head);
  if (hashes === undefined) HASHES.set(head, (hashes = new Map<number, string>()));
  let hash = hashes.get(bytes);
  if (hash === undefined) {
    hash = sampleOf(head.subarray(0, bytes)).sha256;
    hashes.set(bytes, hash);
  }
  return hash;
}

/** `beginsWith` of a `SeenFile.head`. */
export function headBegins(head: Buffer, sample: Sample): boolean {
  return head.length >= sample.bytes && headHash(head, sample.bytes) === sample.sha256;
}
