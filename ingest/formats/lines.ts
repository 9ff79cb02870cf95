const LF = 0x0a;
const CR = 0x0d;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

export interface Line {
  readonly line: number;
  /** Without line end; null for a line over the limit, whose bytes were dropped. */
  readonly bytes: Buffer | null;
}

/**
 * Splits bytes into lines ended by LF or CR LF; a last line without an end is a line. A byte order
 * mark at the start of the source is dropped. Memory is bounded: a line over `bytesMax` is read to
 * its end but not kept.
 */
export async function* readLines(
  source: AsyncIterable<Buffer>,
  bytesMax: number,
): AsyncGenerator<Line> {
  let line = 0;
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  const take = (tail: Buffer): Line => {
    const bytes = pendingBytes + tail.length;
    const whole = pending.length === 0 ? tail : Buffer.concat([...pending, tail]);
    pending = [];
    pendingBytes = 0;
    line += 1;
    return bytes > bytesMax + BOM.length ? { line, bytes: null } : trimmed(line, whole, bytesMax);
  };
  for await (const chunk of source) {
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      yield take(chunk.subarray(start, end));
      start = end + 1;
    }
    if (start === chunk.length) continue;
    pendingBytes += chunk.length - start;
    if (pendingBytes <= bytesMax + BOM.length) pending.push(chunk.subarray(start));
    else pending = [];
  }
  if (pendingBytes > 0) yield take(Buffer.alloc(0));
}

function trimmed(line: number, whole: Buffer, bytesMax: number): Line {
  const start = line === 1 && whole.subarray(0, BOM.length).equals(BOM) ? BOM.length : 0;
  const end = whole.at(-1) === CR ? whole.length - 1 : whole.length;
  const bytes = whole.subarray(start, Math.max(start, end));
  return { line, bytes: bytes.length > bytesMax ? null : bytes };
}
