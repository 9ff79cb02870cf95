import { LINE_MARKS_BYTES } from '../formats/lines.js';
import type { RecordReader } from '../formats/record-reader.js';
import { RECORD_BYTES_MAX } from '../formats/source-item.js';
import type { SourceRecord } from '../formats/source-item.js';
import type { Content } from './content.js';
import { SAMPLE_BYTES_MAX, beginsWith, sampleOf } from './known-file.js';
import type { Place, Position } from './known-file.js';
import type { Reject } from './rejects.js';
import { RowTaker } from './row-taker.js';
import { takeLines } from './take-lines.js';

/** A line may be so long with its marks; longer ones are rejected without being kept. */
export const LINE_BYTES_MAX = RECORD_BYTES_MAX + LINE_MARKS_BYTES;
/** What is read of one file before the next has its turn; a longest line fits. */
const CHUNK_BYTES = 1024 * 1024;

/** What was read of one file in one go, and where it is to be read on once that is acknowledged. */
export interface Portion {
  readonly records: readonly SourceRecord[];
  readonly rejects: readonly Omit<Reject, 'file'>[];
  readonly lines: number;
  /** There is more, which cannot be read: to be asked for once this is sent. */
  readonly isStopped: boolean;
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
 * The complete rows of a chunk as records: of a row of several lines that is not closed yet nothing is
 * taken. `last`: what stands behind the last line end is a line, too; the row that it ends is a portion
 * of its own, so that the place before it is known. If the reader is not between records behind
 * this, it is done with.
 * @throws what the reader of lines throws; what was in front of the fault was a portion of its own.
 */
export function takePortion(
  window: Buffer,
  position: Position,
  reader: RecordReader,
  last: boolean,
): Portion | undefined {
  const before = position.tail.bytes;
  const bytes = window.subarray(before);
  const limit = { bytesMax: LINE_BYTES_MAX };
  const complete = takeLines(bytes, { ...limit, skipping: position.skipping, last: false });
  const rows = new RowTaker(bytes, position, reader);
  rows.add(complete.lines);
  const isUnended = last && rows.taken === 0;
  let { taken, skipping } = complete;
  if (isUnended) {
    const rest = takeLines(bytes.subarray(taken), { ...limit, skipping, last });
    rows.add(rest.lines.map((line) => ({ ...line, next: complete.taken + line.next })));
    reader.end();
    ({ skipping } = rest);
    taken = bytes.length;
  }
  rows.refuseOver(RECORD_BYTES_MAX);
  if (!reader.isBetweenRecords()) ({ taken } = rows);
  const { records, rejects, lines, isStopped } = rows;
  if (taken === 0 && lines === 0) return undefined;
  const read = window.subarray(0, before + taken);
  const next: Position = {
    ...(position.from === undefined ? {} : { from: position.from }),
    // Said also where it is none: what was noted before is done with.
    unended: isUnended ? placeOf(position) : undefined,
    offset: position.offset + taken,
    // Until it is full the sample grows; the window begins with the file's first byte so long.
    head:
      position.head.bytes < SAMPLE_BYTES_MAX
        ? sampleOf(read.subarray(0, SAMPLE_BYTES_MAX))
        : position.head,
    tail: sampleOf(read.subarray(Math.max(0, read.length - SAMPLE_BYTES_MAX))),
    skipping: skipping && reader.isBetweenRecords(),
    reader: reader.state(),
  };
  return { records, rejects, lines, isStopped, next };
}

function placeOf({ offset, head, tail, skipping, reader }: Position): Place {
  return { offset, head, tail, skipping, reader };
}
