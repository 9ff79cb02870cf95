import { apacheField } from './log-fields.js';
import { nginxField } from './log-fields.js';

/** A field of a log line: its name as a column, and the text that stands between it and the next. */
export interface LogField {
  readonly name: string;
  /** The text behind it; '' where it goes to the end of the line. */
  readonly tail: string;
  /** In double quotes: it ends at the first quote that no backslash escapes. */
  readonly quoted: boolean;
}

/** A log format, ready to scan lines with. */
export interface LogFormat {
  /** The text in front of the first field. */
  readonly lead: string;
  readonly fields: readonly LogField[];
}

/** What both servers ship as `common` and `combined`. */
export const COMMON_LOG = '%h %l %u %t "%r" %>s %b';
export const COMBINED_LOG = `${COMMON_LOG} "%{Referer}i" "%{User-Agent}i"`;

/** A literal text, or the name of a field. */
type Part = { readonly text: string } | { readonly name: string };

/**
 * Compiles an Apache LogFormat (`%h %l %u %t "%r" %>s %b`) or an nginx log_format (`$remote_addr -
 * $remote_user [$time_local] …`): which of the two it is, is told by its first `%` or `$name`.
 * @throws RangeError saying at which character (from 1) what is wrong.
 */
export function compileLogFormat(format: string): LogFormat {
  const isNginx = /^[^%]*\$[a-zA-Z{]/.test(format);
  const parts = isNginx ? nginxParts(format) : apacheParts(format);
  const fields: { name: string; tail: string; quoted: boolean }[] = [];
  let lead = '';
  for (const part of parts) {
    const last = fields.at(-1);
    if ('text' in part) {
      if (last === undefined) lead += part.text;
      else last.tail += part.text;
      continue;
    }
    const before = last === undefined ? lead : last.tail;
    if (last?.tail === '') {
      throw new RangeError(`nothing separates ${last.name} from ${part.name}: no line says where`);
    }
    if (fields.some(({ name }) => name === part.name)) {
      throw new RangeError(`${part.name} occurs twice`);
    }
    fields.push({ name: part.name, tail: '', quoted: before.endsWith('"') });
  }
  if (fields.length === 0) {
    throw new RangeError(
      'there is no %h of Apache and no $remote_addr of nginx, or the like, in it',
    );
  }
  return {
    lead,
    fields: fields.map((field) => ({
      ...field,
      quoted: field.quoted && field.tail.startsWith('"'),
    })),
  };
}

/** `%` [status list, `<`, `>`] [`{argument}`] letter; mod_log_config. */
const DIRECTIVE = /%([!\d,<>]*)(?:\{([^}]*)\})?(\^?[a-zA-Z]{1,3})?/y;

function apacheParts(format: string): Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < format.length;) {
    const char = format[at]!;
    if (char === '\\' && at + 1 < format.length) {
      const next = format[at + 1]!;
      parts.push({ text: next === 't' ? '\t' : next });
      at += 2;
    } else if (char !== '%') {
      parts.push({ text: char });
      at += 1;
    } else if (format[at + 1] === '%') {
      parts.push({ text: '%' });
      at += 2;
    } else {
      at = directive(format, at, parts);
    }
  }
  return parts;
}

function directive(format: string, at: number, parts: Part[]): number {
  // The path and its query, `%U%q`, are one text: no character is sure to stand between them.
  if (format.startsWith('%U%q', at)) {
    parts.push({ name: 'target' });
    return at + 4;
  }
  DIRECTIVE.lastIndex = at;
  const [, modifiers = '', argument, letters = ''] = DIRECTIVE.exec(format) ?? [];
  const letter = letters.startsWith('^') ? letters : letters.slice(0, 1);
  const name = apacheField(letter, argument);
  if (name === undefined) {
    const shown = JSON.stringify(format.slice(at, at + 12));
    throw new RangeError(`no directive of Apache's LogFormat at character ${at + 1}: ${shown}`);
  }
  // %t writes its own brackets, but not with a format of one's own.
  const bracketed = letter === 't' && argument === undefined;
  if (bracketed) parts.push({ text: '[' }, { name }, { text: ']' });
  else parts.push({ name });
  const braces = argument === undefined ? 0 : argument.length + 2;
  return at + 1 + modifiers.length + braces + letter.length;
}

const VARIABLE = /\$(?:\{(\w+)\}|(\w+))/y;

function nginxParts(format: string): Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < format.length;) {
    VARIABLE.lastIndex = at;
    const match = format[at] === '$' ? VARIABLE.exec(format) : null;
    if (match === null) {
      parts.push({ text: format[at]! });
      at += 1;
    } else {
      parts.push({ name: nginxField(match[1] ?? match[2]!) });
      at += match[0].length;
    }
  }
  return parts;
}
