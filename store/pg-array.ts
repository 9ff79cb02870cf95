/**
 * Postgres arrays in binary form. A flush sends its columns as arrays (`unnest($1::int4[], …)`), and
 * writing them as text costs more than the rest of the flush's client side together. node-postgres
 * sends a Buffer parameter in binary format, so that a cast (`$1::int4[]`) is all the SQL needs.
 *
 * Wire form (array_recv and array_send, src/backend/utils/adt/arrayfuncs.c): dimensions, has-null
 * flag, element type oid, then per dimension its size and lower bound, then per element its length
 * and bytes; every integer big-endian. An array without elements has no dimension. Nulls are not
 * supported here: no column of a flush has any.
 */
const INT8_OID = 20;
const INT4_OID = 23;
const TEXT_OID = 25;
const TIMESTAMPTZ_OID = 1184;

const HEADER_BYTES = 20;
const EMPTY_HEADER_BYTES = 12;
const TWO_POW_32 = 2 ** 32;
/** Postgres counts time in microseconds from 2000-01-01T00:00:00Z. */
const POSTGRES_EPOCH_MS = 946_684_800_000;

/** `int4[]` of the first `n` of `values`. */
export function encodeInt4Array(values: Int32Array, n: number = values.length): Buffer {
  checkCount(n, values.length);
  const { buffer, view, body } = allocate(INT4_OID, n, n * 8);
  for (let i = 0, at = body; i < n; i++, at += 8) {
    view.setInt32(at, 4);
    view.setInt32(at + 4, values[i]!);
  }
  return buffer;
}

/** `int8[]` of the first `n` of `values`; numbers must be safe integers, else a RangeError. */
export function encodeInt8Array(
  values: Float64Array | BigInt64Array,
  n: number = values.length,
): Buffer {
  checkCount(n, values.length);
  const { buffer, view, body } = allocate(INT8_OID, n, n * 12);
  if (values instanceof BigInt64Array) {
    for (let i = 0, at = body; i < n; i++, at += 12) {
      view.setInt32(at, 8);
      view.setBigInt64(at + 4, values[i]!);
    }
  } else {
    for (let i = 0, at = body; i < n; i++, at += 12) writeInt8(view, at, values[i]!);
  }
  return buffer;
}

/** `timestamptz[]` of the first `n` of `epochMs` (whole milliseconds since 1970, UTC). */
export function encodeTimestamptzArray(epochMs: Float64Array, n: number = epochMs.length): Buffer {
  checkCount(n, epochMs.length);
  const { buffer, view, body } = allocate(TIMESTAMPTZ_OID, n, n * 12);
  for (let i = 0, at = body; i < n; i++, at += 12) {
    writeInt8(view, at, (epochMs[i]! - POSTGRES_EPOCH_MS) * 1000);
  }
  return buffer;
}

/**
 * `text[]` of `n` byte ranges `[starts[i], ends[i])` of `bytes`. They must be UTF-8 without zero
 * bytes: Postgres refuses anything else with SQLSTATE 22021.
 */
export function encodeTextArray(
  bytes: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  n: number = starts.length,
): Buffer {
  checkCount(n, Math.min(starts.length, ends.length));
  let total = n * 4;
  for (let i = 0; i < n; i++) total += checkedLength(bytes, starts[i]!, ends[i]!);
  const { buffer, view, body } = allocate(TEXT_OID, n, total);
  for (let i = 0, at = body; i < n; i++) {
    const start = starts[i]!;
    const length = ends[i]! - start;
    view.setInt32(at, length);
    copyBytes(bytes, start, buffer, at + 4, length);
    at += 4 + length;
  }
  return buffer;
}

/** `text[]` of the first `n` of `values`, as UTF-8. */
export function encodeTextArrayFromStrings(
  values: readonly string[],
  n: number = values.length,
): Buffer {
  checkCount(n, values.length);
  let total = n * 4;
  for (let i = 0; i < n; i++) total += Buffer.byteLength(values[i]!);
  const { buffer, view, body } = allocate(TEXT_OID, n, total);
  for (let i = 0, at = body; i < n; i++) {
    const length = buffer.write(values[i]!, at + 4);
    view.setInt32(at, length);
    at += 4 + length;
  }
  return buffer;
}

interface Target {
  readonly buffer: Buffer;
  readonly view: DataView;
  /** Where the first element goes. */
  readonly body: number;
}

function allocate(elementOid: number, n: number, bodyBytes: number): Target {
  const body = n === 0 ? EMPTY_HEADER_BYTES : HEADER_BYTES;
  const buffer = Buffer.allocUnsafe(body + bodyBytes);
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  view.setInt32(0, n === 0 ? 0 : 1);
  view.setInt32(4, 0);
  view.setInt32(8, elementOid);
  if (n > 0) {
    view.setInt32(12, n);
    view.setInt32(16, 1);
  }
  return { buffer, view, body };
}

/** Writes length 8 and the two's complement of a safe integer. */
function writeInt8(view: DataView, at: number, value: number): void {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a safe integer`);
  const high = Math.floor(value / TWO_POW_32);
  view.setInt32(at, 8);
  view.setInt32(at + 4, high);
  view.setUint32(at + 8, value - high * TWO_POW_32);
}

/** Ids are short: a loop beats a call into the runtime up to some dozens of bytes. */
function copyBytes(from: Uint8Array, start: number, to: Buffer, at: number, length: number): void {
  if (length > 48) {
    to.set(from.subarray(start, start + length), at);
    return;
  }
  for (let i = 0; i < length; i++) to[at + i] = from[start + i]!;
}

function checkedLength(bytes: Uint8Array, start: number, end: number): number {
  if (start < 0 || end < start || end > bytes.length) {
    throw new RangeError(`byte range [${start}, ${end}) is not within 0..${bytes.length}`);
  }
  return end - start;
}

function checkCount(n: number, available: number): void {
  if (!Number.isInteger(n) || n < 0 || n > available) {
    throw new RangeError(`${n} elements asked for, ${available} available`);
  }
}
