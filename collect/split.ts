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
 * @throws TruecountError `invalid_argument` for an array whose frame is broken, `body_too_large` for
 * more than `clicksMax` records
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
  return skipSpace(body, body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0);
}

function skipSpace(body: Buffer, from: number): number {
  let at = from;
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

/**
 * The elements of the array that opens at `open`, in one pass and without recursion. Where JSON.parse
 * takes the array, these are its elements. Where it does not, each is at least framed: a string with
 * its end, brackets that match, or a word; the decoder says what is wrong inside.
 */
function elementsOf(body: Buffer, open: number, clicksMax: number): Buffer[] {
  const records: Buffer[] = [];
  const brackets = new OpenBrackets();
  let at = skipSpace(body, open + 1);
  if (body[at] === CLOSE_BRACKET) return nothingAfter(body, at + 1, records);
  for (;;) {
    const end = endOfElement(body, at, brackets);
    push(records, body.subarray(at, end), clicksMax);
    at = skipSpace(body, end);
    if (body[at] === CLOSE_BRACKET) return nothingAfter(body, at + 1, records);
    if (body[at] !== COMMA) throw unexpected(body, at, 'a comma or ]');
    at = skipSpace(body, at + 1);
  }
}

/** The index after the element that begins at `from`. */
function endOfElement(body: Buffer, from: number, brackets: OpenBrackets): number {
  const first = body[from];
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return endOfBrackets(body, from, brackets);
  if (first === QUOTE) return endOfString(body, from) + 1;
  let end = from;
  while (end < body.length && !isStructure(body[end]!)) end++;
  while (end > from && isSpace(body[end - 1]!)) end--;
  if (end === from) throw unexpected(body, from, 'a click');
  return end;
}

function isStructure(byte: number): boolean {
  if (byte === COMMA || byte === QUOTE || byte === OPEN_BRACE || byte === CLOSE_BRACE) return true;
  return byte === OPEN_BRACKET || byte === CLOSE_BRACKET;
}

/** The index after the bracket that closes the one at `from`. */
function endOfBrackets(body: Buffer, from: number, brackets: OpenBrackets): number {
  for (let at = from; at < body.length; at++) {
    const byte = body[at]!;
    if (byte === QUOTE) at = endOfString(body, at);
    else if (byte === OPEN_BRACE) brackets.open(CLOSE_BRACE);
    else if (byte === OPEN_BRACKET) brackets.open(CLOSE_BRACKET);
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (!brackets.close(byte)) throw unexpected(body, at, 'the other bracket');
      if (brackets.depth === 0) return at + 1;
    }
  }
  throw notAnArray('it does not end');
}

/** The closing brackets that are still to come: a byte each, however deep a body is. */
class OpenBrackets {
  depth = 0;
  private closing = Buffer.alloc(32);

  open(closing: number): void {
    if (this.depth === this.closing.length) {
      this.closing = Buffer.concat([this.closing], 2 * this.depth);
    }
    this.closing[this.depth++] = closing;
  }

  /** Whether this is the one that was to come. */
  close(byte: number): boolean {
    this.depth -= 1;
    return this.closing[this.depth] === byte;
  }
}

/** The index of the quote that ends the string which begins at `from`. */
function endOfString(body: Buffer, from: number): number {
  for (let at = from + 1; at < body.length; at++) {
    const byte = body[at];
    if (byte === BACKSLASH) at++;
    else if (byte === QUOTE) return at;
  }
  throw notAnArray('a string in it does not end');
}

function nothingAfter(body: Buffer, from: number, records: Buffer[]): Buffer[] {
  const at = skipSpace(body, from);
  if (at < body.length) throw notAnArray(`more follows it at byte ${String(at)}`);
  return records;
}

function unexpected(body: Buffer, at: number, what: string): TruecountError {
  if (at >= body.length) return notAnArray('it does not end');
  return notAnArray(`byte ${String(at)} is not ${what} that is expected there`);
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
