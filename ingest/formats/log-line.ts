import { hexByte, utf8Text } from '../mapping/percent.js';
import type { LogField, LogFormat } from '../mapping/log-format.js';

const BACKSLASH = 0x5c;

/** Where a line does not follow its format; `column` is a UTF-16 unit from 1. */
export interface LogMismatch {
  readonly column: number;
  readonly reason: string;
}

/**
 * Finds the fields of log lines. One pass from left to right without going back: a field ends where
 * the text behind it in the format first occurs, so the time is linear in the line.
 */
export class LogLineScanner {
  /** The fields of the last line that `scan` took: `[starts[i], ends[i])` of its characters. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  private text = '';

  constructor(private readonly format: LogFormat) {
    this.starts = new Int32Array(format.fields.length);
    this.ends = new Int32Array(format.fields.length);
  }

  /** Undefined if the line follows the format. */
  scan(text: string): LogMismatch | undefined {
    const { lead, fields } = this.format;
    this.text = text;
    if (!text.startsWith(lead)) return mismatch(text, 0, lead, 'at the start of the line');
    let at = lead.length;
    for (let index = 0; index < fields.length; index++) {
      const field = fields[index]!;
      const end = field.quoted ? quoteEnd(text, at) : plainEnd(text, at, field.tail);
      if (end < 0) return unended(field, at);
      if (!text.startsWith(field.tail, end)) {
        return mismatch(text, end, field.tail, `behind ${field.name}`);
      }
      this.starts[index] = at;
      this.ends[index] = end;
      at = end + field.tail.length;
    }
    return at === text.length ? undefined : mismatch(text, at, '', `behind ${fields.at(-1)!.name}`);
  }

  /** A field of the last line, escapes undone; `-` is how a server writes that there is nothing. */
  value(index: number): string {
    const raw = this.text.slice(this.starts[index], this.ends[index]);
    return raw === '-' ? '' : unescaped(raw);
  }
}

/** The first quote from `at` on that no backslash escapes; -1 if there is none. */
function quoteEnd(text: string, at: number): number {
  for (let i = at; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === BACKSLASH) i += 1;
    else if (code === 0x22) return i;
  }
  return -1;
}

function plainEnd(text: string, at: number, tail: string): number {
  return tail === '' ? text.length : text.indexOf(tail, at);
}

function unended(field: LogField, at: number): LogMismatch {
  const expected = field.quoted ? 'its closing quote' : JSON.stringify(field.tail);
  const reason = `expected ${expected} behind ${field.name}, which begins here: the line ends first`;
  return { column: at + 1, reason };
}

function mismatch(text: string, at: number, expected: string, where: string): LogMismatch {
  const found = text.slice(at, at + Math.max(expected.length, 8));
  const wanted = expected === '' ? 'the end of the line' : JSON.stringify(expected);
  const shown = found === '' ? 'the line ends there' : `found ${JSON.stringify(found)}`;
  return { column: at + 1, reason: `expected ${wanted} ${where}: ${shown}` };
}

const LETTERS: Readonly<Record<string, number>> = {
  '"': 0x22,
  '\\': BACKSLASH,
  '/': 0x2f,
  b: 0x08,
  f: 0x0c,
  n: 0x0a,
  r: 0x0d,
  t: 0x09,
  v: 0x0b,
};

/**
 * Undoes what Apache (`\"`, `\\`, `\n`, `\xhh`) and nginx (`\xhh`, in JSON `\u00hh`) escape. A text
 * whose bytes are not UTF-8 then stays as it was written: a click is not lost for what its browser
 * calls itself.
 */
export function unescaped(text: string): string {
  if (!text.includes('\\')) return text;
  const bytes = Buffer.from(text);
  let end = 0;
  for (let at = 0; at < bytes.length; at++) {
    const [byte, length] = bytes[at] === BACKSLASH ? escape(bytes, at) : [bytes[at]!, 1];
    bytes[end++] = byte;
    at += length - 1;
  }
  return utf8Text(bytes.subarray(0, end)) ?? text;
}

/** The byte that an escape stands for, and its length; a backslash that begins none is itself. */
function escape(bytes: Buffer, at: number): readonly [byte: number, length: number] {
  const next = String.fromCharCode(bytes[at + 1] ?? 0);
  const letter = LETTERS[next];
  if (letter !== undefined) return [letter, 2];
  const digits =
    next === 'x' ? at + 2 : bytes.toString('latin1', at + 1, at + 4) === 'u00' ? at + 4 : -1;
  const value = digits < 0 ? undefined : hexByte(bytes, digits);
  // \u0080 and above would be two bytes; nginx writes control characters so, and nothing else.
  if (value === undefined || (next === 'u' && value >= 0x80)) return [BACKSLASH, 1];
  return [value, digits + 2 - at];
}
