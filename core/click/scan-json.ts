import { CLICK_LIMITS } from './click.js';

/**
 * Validates and skips JSON that the scanner need not understand: whatever is not a plain ASCII
 * string. Each function takes the index of the first byte of the thing and returns the index after
 * it, or UNUSUAL if the bytes are not strict JSON (RFC 8259) in valid UTF-8, or may not be.
 */
export const UNUSUAL = -1;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const ZERO = 0x30;
const COMMA = 0x2c;
const COLON = 0x3a;

/** First index in `[i, end)` that holds no JSON whitespace, else `end`. */
export function skipSpace(bytes: Uint8Array, from: number, end: number): number {
  let i = from;
  while (i < end) {
    const byte = bytes[i] as number;
    if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) break;
    i++;
  }
  return i;
}

/** Any value; `depth` is how many containers are open around it. Recursion ends at depthMax. */
export function skipValue(bytes: Uint8Array, i: number, end: number, depth: number): number {
  if (i >= end) return UNUSUAL;
  switch (bytes[i]) {
    case QUOTE:
      return skipString(bytes, i + 1, end);
    case 0x7b:
      return skipContainer(bytes, i, end, depth + 1, 0x7d);
    case 0x5b:
      return skipContainer(bytes, i, end, depth + 1, 0x5d);
    case 0x74:
      return skipLiteral(bytes, i, end, TRUE);
    case 0x66:
      return skipLiteral(bytes, i, end, FALSE);
    case 0x6e:
      return skipLiteral(bytes, i, end, NULL);
    default:
      return skipNumber(bytes, i, end);
  }
}

function skipContainer(
  bytes: Uint8Array,
  start: number,
  end: number,
  depth: number,
  close: number,
): number {
  if (depth > CLICK_LIMITS.depthMax) return UNUSUAL;
  let i = skipSpace(bytes, start + 1, end);
  if (i < end && bytes[i] === close) return i + 1;
  while (i < end) {
    if (close === 0x7d) {
      if (bytes[i] !== QUOTE) return UNUSUAL;
      i = skipString(bytes, i + 1, end);
      if (i === UNUSUAL) return UNUSUAL;
      i = skipSpace(bytes, i, end);
      if (i >= end || bytes[i] !== COLON) return UNUSUAL;
      i = skipSpace(bytes, i + 1, end);
    }
    i = skipValue(bytes, i, end, depth);
    if (i === UNUSUAL) return UNUSUAL;
    i = skipSpace(bytes, i, end);
    if (i >= end) return UNUSUAL;
    if (bytes[i] === close) return i + 1;
    if (bytes[i] !== COMMA) return UNUSUAL;
    i = skipSpace(bytes, i + 1, end);
  }
  return UNUSUAL;
}

/** A string from the byte after its opening quote to after its closing quote. */
export function skipString(bytes: Uint8Array, from: number, end: number): number {
  let i = from;
  while (i < end) {
    const byte = bytes[i] as number;
    if (byte === QUOTE) return i + 1;
    if (byte < 0x20) return UNUSUAL;
    if (byte === BACKSLASH) i = skipEscape(bytes, i + 1, end);
    else if (byte < 0x80) i++;
    else i = skipSequence(bytes, i, end);
    if (i === UNUSUAL) return UNUSUAL;
  }
  return UNUSUAL;
}

function skipEscape(bytes: Uint8Array, i: number, end: number): number {
  if (i >= end) return UNUSUAL;
  switch (bytes[i]) {
    case QUOTE:
    case BACKSLASH:
    case 0x2f: // /
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return i + 1;
    case 0x75: // uXXXX
      if (i + 5 > end) return UNUSUAL;
      for (let k = i + 1; k < i + 5; k++) if (!isHex(bytes[k] as number)) return UNUSUAL;
      return i + 5;
    default:
      return UNUSUAL;
  }
}

function isHex(byte: number): boolean {
  const lower = byte | 0x20;
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x66);
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** One UTF-8 sequence of 2–4 bytes (Unicode 16, table 3-7: no overlong forms, no surrogates). */
function skipSequence(bytes: Uint8Array, i: number, end: number): number {
  const lead = bytes[i] as number;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (lead < 0xc2 || lead > 0xf4 || i + length > end) return UNUSUAL;
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  const second = bytes[i + 1] as number;
  if (second < low || second > high) return UNUSUAL;
  for (let k = i + 2; k < i + length; k++) {
    if (((bytes[k] as number) & 0xc0) !== 0x80) return UNUSUAL;
  }
  return i + length;
}

const TRUE = new TextEncoder().encode('true');
const FALSE = new TextEncoder().encode('false');
const NULL = new TextEncoder().encode('null');

function skipLiteral(bytes: Uint8Array, i: number, end: number, literal: Uint8Array): number {
  if (i + literal.length > end) return UNUSUAL;
  for (let k = 1; k < literal.length; k++) if (bytes[i + k] !== literal[k]) return UNUSUAL;
  return i + literal.length;
}

function skipNumber(bytes: Uint8Array, from: number, end: number): number {
  let i = bytes[from] === MINUS ? from + 1 : from;
  if (i < end && bytes[i] === ZERO) i++;
  else if ((i = skipDigits(bytes, i, end)) === UNUSUAL) return UNUSUAL;
  if (i < end && bytes[i] === 0x2e) {
    i = skipDigits(bytes, i + 1, end);
    if (i === UNUSUAL) return UNUSUAL;
  }
  if (i < end && ((bytes[i] as number) | 0x20) === 0x65) {
    i++;
    if (i < end && (bytes[i] === 0x2b || bytes[i] === MINUS)) i++;
    i = skipDigits(bytes, i, end);
  }
  return i;
}

/** One digit or more. */
function skipDigits(bytes: Uint8Array, from: number, end: number): number {
  let i = from;
  while (i < end && isDigit(bytes[i] as number)) i++;
  return i === from ? UNUSUAL : i;
}
