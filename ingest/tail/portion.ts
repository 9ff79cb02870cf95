import { LINE_MARKS_BYTES } from '../formats/lines.js';
import type { RecordReader } from '../formats/record-reader.js';
import { RECORD_BYTES_MAX } from '../formats/source-item.js';
import type { SourceRecord } from '../formats/source-item.js';
import type { Content } from './content.js';
import { SAMPLE_BYTES_MAX, beginsWith, sampleOf } from './known-file.js';
import type { Place, Position } from './known-file.js';
import type { Reject } from './rejects.js';
import { LF, takeLines } from './take-lines.js';

/** A line may be so long with its marks; longer ones are rejected without being kept. */
export const LINE_BYTES_MAX = RECORD_BYTES_MAX + LINE_MARKS_BYTES;
/** What is read of one file before the next has its turn; a longest line fits. */
const CHUNK_BYTES = 1024 * 1024;

/** What was read of one file in one go, and where it is to be read on once that is acknowledged. */
export interface Portion {
  readonly records: readonly SourceRecord[];
  readonly rejects: readonly Omit<Reject, 'file'>[];
  readonly lines: number;
  readonly next: Position;
}

/** Bytes behind the position. */
export type Chunk =
  | {
      readonly kind: 'bytes';
      /** With the bytes of the position's tail sample in front. */
      readonly window: Buffer;
      /** The window goes to the end, as it is now. */
      readonly atEnd: boolean;
    }
  /** The file does not hold what was read of it: it was truncated, or is another one. */
  | { readonly kind: 'other' };

/**
 * Reads what follows a position, and makes sure that the bytes before it are still those that were
 * read. The first bytes of a file are compared after the others were read: a file that was
 * truncated in between is found out.
 */
export async function readChunk(content: Content, position: Position): Promise<Chunk> {
  const { offset, head, tail } = position;
  const from = offset - tail.bytes;
  const length = tail.bytes + CHUNK_BYTES;
  const window = await content.read(from, length);
  const atEnd = window.length < length;
  if (!beginsWith(window, tail)) return { kind: 'other' };
  if (!content.gz && !beginsWith(await content.read(0, head.bytes), head)) return { kind: 'other' };
  return { kind: 'bytes', window, atEnd };
}

/**
 * The complete lines of a chunk as records. `last`: what stands behind the last line end is a line,
 * too; it is a portion of its own, so that the place before it is known.
 * @throws what the reader of lines throws.
 */
export function takePortion(
  window: Buffer,
  position: Position,
  reader: RecordReader,
  last: boolean,
): Portion | undefined {
  const before = position.tail.bytes;
  const bytes = window.subarray(before);
  const old = readOld(bytes, position, reader);
  const inputs = { bytesMax: LINE_BYTES_MAX, skipping: position.skipping && old === 0 };
  const complete = takeLines(bytes.subarray(old), { ...inputs, last: false });
  const isUnended = last && old === 0 && complete.lines.length === 0;
  const { lines, taken, skipping } = isUnended
    ? takeLines(bytes, { ...inputs, last: true })
    : complete;
  if (old + taken === 0 && lines.length === 0) return undefined;
  const records: SourceRecord[] = [];
  const rejects: Omit<Reject, 'file'>[] = [];
  for (const bytes of lines) {
    const item = reader.read(bytes);
    if (item?.kind === 'record') records.push(item);
    else if (item !== null) {
      const { line, column, reason } = item;
      rejects.push({ line, ...(column === undefined ? {} : { column }), reason, bytes });
    }
  }
  const offset = position.offset + old + taken;
  const read = window.subarray(0, before + old + taken);
  const next: Position = {
    ...(position.from === undefined ? {} : { from: position.from }),
    // Said also where it is none: what was noted before is done with.
    unended: isUnended ? placeOf(position) : undefined,
    offset,
    // Until it is full the sample grows; the window begins with the file's first byte so long.
    head:
      position.head.bytes < SAMPLE_BYTES_MAX
        ? sampleOf(read.subarray(0, SAMPLE_BYTES_MAX))
        : position.head,
    tail: sampleOf(read.subarray(Math.max(0, read.length - SAMPLE_BYTES_MAX))),
    skipping,
    reader: reader.state(),
  };
  return { records, rejects, lines: lines.length, next };
}

function placeOf({ offset, head, tail, skipping, reader }: Position): Place {
  return { offset, head, tail, skipping, reader };
}

/** Reads the lines that were there before the tail and are not sent; gives the bytes they take. */
function readOld(
  bytes: Buffer,
  { offset, from = 0, skipping }: Position,
  reader: RecordReader,
): number {
  if (from <= offset) return 0;
  const end = bytes.lastIndexOf(LF, from - offset - 1) + 1;
  const inputs = { bytesMax: LINE_BYTES_MAX, skipping, last: false };
  for (const line of takeLines(bytes.subarray(0, end), inputs).lines) reader.read(line);
  return end;
}
