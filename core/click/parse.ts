import { fitsUtf8, isSafeText } from '../text.js';
import { CLICK_LIMITS } from './click.js';
import type { DecodeResult, FieldValue } from './click.js';
import type { RejectReason } from './reasons.js';
import { EVENT_MS_END, EVENT_MS_MIN, parseRfc3339 } from './timestamp.js';

/** Leads a record of the Confluent wire format: this byte, then a schema id of 4 bytes. */
export const FRAMING_MAGIC = 0x00;
export const FRAMING_BYTES = 5;

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** A byte order mark at the start is skipped; anything that is not UTF-8 throws. */
const utf8 = new TextDecoder('utf-8', { fatal: true });

class Rejection {
  constructor(
    readonly reason: RejectReason,
    readonly detail: string,
  ) {}
}

function reject(reason: RejectReason, detail: string): never {
  // Not an Error: collecting a stack would make a flood of bad records several times as expensive.
  // eslint-disable-next-line @typescript-eslint/only-throw-error
  throw new Rejection(reason, detail);
}

/**
 * Decodes one record value. This is the single meaning of a click: the fast scanner may only agree
 * with it. `appendMs` is the broker's append time, against which "in the future" is judged;
 * `fields` are the dimension fields wanted, in the order wanted. Never throws on any bytes. A
 * record with several faults is rejected for the first of them in the order of REJECT_REASONS;
 * `detail` says where, without quoting more of the record than a field's name.
 */
export function parseClick(
  bytes: Uint8Array | null,
  appendMs: number,
  fields: readonly string[],
): DecodeResult {
  const result = readClick(bytes, appendMs);
  if (result.kind === 'rejected') return result;
  const { adId, eventId, eventMs, record } = result;
  const values = fields.map((name) => fieldValue(ownValue(record, name)));
  return { kind: 'click', click: { adId, eventId, eventMs, fields: values } };
}

/** A click with its whole record: the JSON text, and what JSON.parse makes of it. */
export interface ReadClick {
  readonly kind: 'click';
  readonly adId: string;
  readonly eventId: string;
  readonly eventMs: number;
  readonly record: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** As `parseClick`, but keeps all members. */
export function readClick(
  bytes: Uint8Array | null,
  appendMs: number,
): ReadClick | Extract<DecodeResult, { kind: 'rejected' }> {
  return orRejected(() => {
    const { record, text } = parseRecord(payloadOf(bytes));
    const eventId = required(record, 'event_id');
    const adId = required(record, 'ad_id');
    const timestamp = required(record, 'timestamp');
    requireType('event_id', typeof eventId === 'string', 'a string');
    requireType('ad_id', typeof adId === 'string', 'a string');
    const timeTyped = typeof timestamp === 'string' || typeof timestamp === 'number';
    requireType('timestamp', timeTyped, 'a string or a number');
    checkId('event_id', eventId as string);
    checkId('ad_id', adId as string);
    const eventMs = eventTime(timestamp as string | number, appendMs);
    return {
      kind: 'click',
      adId: adId as string,
      eventId: eventId as string,
      eventMs,
      record,
      text,
    };
  });
}

/** A JSON object that may be no click: the first half of what the decoder checks. */
export interface ReadObject {
  readonly kind: 'object';
  /** Without framing and byte order mark. */
  readonly text: string;
}

/** The object in a record, if there is one; whether it is a click is not looked at. */
export function readObject(
  bytes: Uint8Array | null,
): ReadObject | Extract<DecodeResult, { kind: 'rejected' }> {
  return orRejected(() => ({ kind: 'object', text: parseRecord(payloadOf(bytes)).text }));
}

function orRejected<T>(read: () => T): T | Extract<DecodeResult, { kind: 'rejected' }> {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return { kind: 'rejected', reason: error.reason, detail: error.detail };
  }
}

/** Size and framing: the bytes that are to be JSON. */
function payloadOf(bytes: Uint8Array | null): Uint8Array {
  if (bytes === null) reject('empty', 'the record has no value');
  if (firstNonSpace(bytes, 0) === bytes.length) {
    reject('empty', `${String(bytes.length)} bytes, none but whitespace`);
  }
  if (bytes.length > CLICK_LIMITS.recordBytesMax) {
    const limit = String(CLICK_LIMITS.recordBytesMax);
    reject('record_too_large', `${String(bytes.length)} bytes, the limit is ${limit}`);
  }
  if (bytes[0] !== FRAMING_MAGIC) return bytes;
  if (bytes[firstNonSpace(bytes, FRAMING_BYTES)] !== OPEN_BRACE) {
    reject('bad_framing', 'no JSON object after the magic byte and the schema id');
  }
  return bytes.subarray(FRAMING_BYTES);
}

function firstNonSpace(bytes: Uint8Array, from: number): number {
  let i = from;
  while (i < bytes.length) {
    const byte = bytes[i];
    if (byte !== SPACE && byte !== LF && byte !== CR && byte !== TAB) return i;
    i++;
  }
  return i;
}

function parseRecord(payload: Uint8Array): { record: Record<string, unknown>; text: string } {
  let text: string;
  try {
    text = utf8.decode(payload);
  } catch {
    reject('not_utf8', 'the bytes are not valid UTF-8');
  }
  checkDepth(payload);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    reject('not_json', `${String(text.length)} characters that are not JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    reject('not_object', 'the JSON is not an object');
  }
  return { record: value as Record<string, unknown>, text };
}

/**
 * Counts open brackets outside strings, without recursion, before any parser sees the record.
 * Needs no valid JSON. Bytes of longer UTF-8 sequences never look like ASCII.
 */
function checkDepth(payload: Uint8Array): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < payload.length; i++) {
    const byte = payload[i];
    if (inString) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++depth > CLICK_LIMITS.depthMax) {
        const limit = String(CLICK_LIMITS.depthMax);
        reject('too_deep', `nested deeper than ${limit} at byte ${String(i)}`);
      }
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
  }
}

/** Own properties only: a key `__proto__` or a field `constructor` must mean nothing special. */
function ownValue(record: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function required(record: Record<string, unknown>, name: string): unknown {
  const value = ownValue(record, name);
  if (value === undefined || value === null) {
    reject('missing_field', `${name} is ${value === null ? 'null' : 'absent'}`);
  }
  return value;
}

function requireType(name: string, holds: boolean, wanted: string): void {
  if (!holds) reject('wrong_type', `${name} is not ${wanted}`);
}

function checkId(name: string, id: string): void {
  if (id === '') reject('bad_id', `${name} is ""`);
  if (!fitsUtf8(id, CLICK_LIMITS.idBytesMax)) {
    const limit = String(CLICK_LIMITS.idBytesMax);
    reject('bad_id', `${name} is longer than ${limit} bytes`);
  }
  if (!isSafeText(id)) {
    reject('bad_id', `${name} holds a control character or a lone surrogate`);
  }
}

function eventTime(timestamp: string | number, appendMs: number): number {
  const eventMs = typeof timestamp === 'string' ? parseRfc3339(timestamp) : timestamp;
  if (eventMs === null) reject('bad_timestamp', 'not an RFC 3339 time with a zone');
  if (!Number.isInteger(eventMs)) {
    reject('bad_timestamp', 'a number, but not whole milliseconds since 1970');
  }
  if (eventMs < EVENT_MS_MIN || eventMs >= EVENT_MS_END) {
    reject('timestamp_out_of_range', 'before the year 2000 or after 2099');
  }
  if (eventMs > appendMs + CLICK_LIMITS.futureMsMax) {
    const ahead = String(eventMs - appendMs);
    reject('timestamp_in_future', `${ahead} ms after the broker's append time`);
  }
  return eventMs;
}

/** What a member of a record, as JSON.parse gives it, is as a field. */
export function fieldValue(value: unknown): FieldValue {
  if (value === undefined || value === null || value === '') return { kind: 'absent' };
  if (typeof value !== 'string') return { kind: 'other' };
  const usable = fitsUtf8(value, CLICK_LIMITS.fieldBytesMax) && isSafeText(value);
  return usable ? { kind: 'value', text: value } : { kind: 'other' };
}
