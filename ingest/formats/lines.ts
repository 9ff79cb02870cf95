const LF = 0x0a;
const CR = 0x0d;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

export interface Line {
  /** From 1. */
  readonly line: number;
  /** Without line end; null for a line over the limit, whose bytes were dropped. */
  readonly bytes: Buffer | null;
}

/** A line as it is in the source: without its LF, but with a CR or a byte order mark. */
export interface RawLine {
  readonly bytes: Buffer | null;
  /** Bytes of the source up to and including this line and its LF. */
  readonly end: number;
  /** Whether an LF ended it; only the last line of a source may lack it. */
  readonly closed: boolean;
}

/**
 * Splits bytes at LF; a last line without one is a line. Memory is bounded: a line over `bytesMax`
 * is read to its end but not kept. `from` is where in the file the source begins.
 */
export async function* splitLines(
  source: AsyncIterable<Buffer>,
  bytesMax: number,
  from = 0,
): AsyncGenerator<RawLine> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let end = from;
  const take = (tail: Buffer, closed: boolean): RawLine => {
    const length = pendingBytes + tail.length;
    const whole = pending.length === 0 ? tail : Buffer.concat([...pending, tail]);
    pending = [];
    pendingBytes = 0;
    end += length + (closed ? 1 : 0);
    return { bytes: length > bytesMax ? null : whole, end, closed };
  };
  for await (const chunk of source) {
    let start = 0;
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, start)) {
      yield take(chunk.subarray(start, at), true);
      start = at + 1;
    }
    if (start === chunk.length) continue;
    pendingBytes += chunk.length - start;
    if (pendingBytes <= bytesMax) pending.push(chunk.subarray(start));
    else pending = [];
  }
  if (pendingBytes > 0) yield take(Buffer.alloc(0), false);
}

/** What a byte order mark and a CR may add to a line. */
export const LINE_MARKS_BYTES = BOM.length + 1;

/** A line without the CR of its end and, if it is the first, without the byte order mark. */
export function trimLine(raw: Buffer, isFirst: boolean): Buffer {
  const start = isFirst && raw.subarray(0, BOM.length).equals(BOM) ? BOM.length : 0;
  const end = raw.at(-1) === CR ? raw.length - 1 : raw.length;
  return raw.subarray(start, Math.max(start, end));
}

/**
 * The lines of a source, ended by LF or CR LF, without the byte order mark at its start. A line
 * over `bytesMax` is read to its end but not kept.
 */
export async function* readLines(
  source: AsyncIterable<Buffer>,
  bytesMax: number,
): AsyncGenerator<Line> {
  let line = 0;
  for await (const raw of splitLines(source, bytesMax + LINE_MARKS_BYTES)) {
    line += 1;
    const bytes = raw.bytes === null ? null : trimLine(raw.bytes, line === 1);
    yield { line, bytes: bytes !== null && bytes.length > bytesMax ? null : bytes };
  }
}
