import { TruecountError } from '../core/errors.js';

/** How the clicks stand in a body. */
export type BodyForm = 'json' | 'ndjson' | 'any';

const NDJSON_TYPES = ['application/x-ndjson', 'application/ndjson', 'application/jsonl'];

/**
 * The form that a Content-Type names. Text, and no type at all, is what `sendBeacon` sends: then
 * the first byte tells an array from lines.
 * @throws TruecountError `unsupported_content` for any other type, and for a charset but UTF-8
 */
export function formOf(contentType: string | undefined): BodyForm {
  if (contentType === 'application/json') return 'json';
  const [type = '', ...parameters] = (contentType ?? '').toLowerCase().split(';');
  const charset = parameters.map((text) => text.trim()).find((text) => text.startsWith('charset='));
  if (charset !== undefined && !/^charset="?utf-?8"?$/.test(charset)) {
    throw unsupported(`${charset} is not read`, 'send UTF-8');
  }
  const name = type.trim();
  if (name === 'application/json') return 'json';
  if (NDJSON_TYPES.includes(name)) return 'ndjson';
  if (name === 'text/plain' || name === '') return 'any';
  throw unsupported(
    `clicks are not read from ${JSON.stringify(name)}`,
    'send application/json, application/x-ndjson or text/plain',
  );
}

function unsupported(message: string, hint: string): TruecountError {
  return new TruecountError('unsupported_content', message, { hint });
}

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Splits a body into the bytes of its records, which are views of it. Only the framing is looked
 * at: whether a record is a click is the decoder's to say, and its bytes go to the log as they came.
 * @throws TruecountError `invalid_argument` for an array that does not end or that more follows,
 * `body_too_large` for more than `clicksMax` records
 */
export function splitBody(body: Buffer, form: BodyForm, clicksMax: number): Buffer[] {
  const first = firstByte(body);
  const records =
    form !== 'ndjson' && body[first] === OPEN_BRACKET
      ? elementsOf(body, first, clicksMax)
      : form === 'json'
        ? [body].filter(() => first < body.length)
        : linesOf(body, clicksMax);
  if (records.length === 0) {
    throw new TruecountError('invalid_argument', 'the body holds no click', {
      hint: 'send a JSON object, an array of them, or one on each line',
    });
  }
  return records;
}

/** Where the text begins, behind white space and a byte order mark. */
function firstByte(body: Buffer): number {
  let at = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0;
  while (at < body.length && isSpace(body[at]!)) at++;
  return at;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === LF || byte === CR || byte === 0x09;
}

/** Lines end with LF or CR LF; empty ones are no records. */
function linesOf(body: Buffer, clicksMax: number): Buffer[] {
  const records: Buffer[] = [];
  for (let start = 0; start < body.length;) {
    const found = body.indexOf(LF, start);
    const next = found < 0 ? body.length : found;
    const end = next > start && body[next - 1] === CR ? next - 1 : next;
    if (end > start) push(records, body.subarray(start, end), clicksMax);
    start = next + 1;
  }
  return records;
}

/** The elements of the array that opens at `open`, by brackets and strings, without recursion. */
function elementsOf(body: Buffer, open: number, clicksMax: number): Buffer[] {
  const records: Buffer[] = [];
  let depth = 0;
  let start = open + 1;
  for (let at = open; at < body.length; at++) {
    const byte = body[at];
    if (byte === QUOTE) at = endOfString(body, at);
    else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) depth++;
    else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) depth--;
    const ends = depth === 0 || (depth === 1 && byte === COMMA);
    if (!ends) continue;
    const element = trimmed(body, start, at);
    const isEmptyArray = depth === 0 && records.length === 0 && element.length === 0;
    if (!isEmptyArray) push(records, element, clicksMax);
    start = at + 1;
    if (depth === 0) return nothingAfter(body, start, records);
  }
  throw notAnArray('the array does not end');
}

/** `[from, to)` without the white space around it. */
function trimmed(body: Buffer, from: number, to: number): Buffer {
  let start = from;
  let end = to;
  while (start < end && isSpace(body[start]!)) start++;
  while (end > start && isSpace(body[end - 1]!)) end--;
  return body.subarray(start, end);
}

/** The index of the quote that ends the string which begins at `from`. */
function endOfString(body: Buffer, from: number): number {
  for (let at = from + 1; at < body.length; at++) {
    const byte = body[at];
    if (byte === BACKSLASH) at++;
    else if (byte === QUOTE) return at;
  }
  throw notAnArray('a string in the array does not end');
}

function nothingAfter(body: Buffer, from: number, records: Buffer[]): Buffer[] {
  for (let at = from; at < body.length; at++) {
    if (!isSpace(body[at]!)) throw notAnArray(`more follows the array at byte ${String(at)}`);
  }
  return records;
}

function notAnArray(message: string): TruecountError {
  return new TruecountError('invalid_argument', `the body is no JSON array: ${message}`, {
    hint: 'nothing of it was taken; for one click on each line use application/x-ndjson',
  });
}

function push(records: Buffer[], record: Buffer, clicksMax: number): void {
  if (records.length === clicksMax) {
    throw new TruecountError('body_too_large', `more than ${String(clicksMax)} clicks`, {
      hint: 'nothing of it was taken; send them in several requests',
    });
  }
  records.push(record);
}
