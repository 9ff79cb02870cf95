import { TruecountError } from '../core/errors.js';

/** Prefix of the parameters that become fields of a click, as in `f.country=US`. */
export const FIELD_PREFIX = 'f.';

const FIELD_NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;
const RESERVED_FIELDS = ['event_id', 'ad_id', 'timestamp'];
const KNOWN = ['to', 'sig', 'key', 'exp', 'event_id', 'timestamp'];
// eslint-disable-next-line no-control-regex -- exactly these must not be in a link
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
/** Absent, or something: in the text that is signed an empty one would look like an absent one. */
const NEVER_EMPTY = ['exp', 'event_id', 'timestamp'];
const FIELDS_MAX = 32;

/** The parameters of a link or pixel that mean something; those of others are left aside. */
export interface ClickQuery {
  readonly values: ReadonlyMap<string, string>;
  /** Fields of the click, without their prefix. */
  readonly fields: ReadonlyMap<string, string>;
}

/**
 * Reads the query of a URL as it came. Parameters that others append on the way (`gclid` and the
 * like) are ignored; what is known is read strictly, since it is signed or counted.
 * @throws TruecountError `invalid_argument` for a parameter that comes twice, is no UTF-8, holds a
 * control character, is no name of a field, or is empty where an absent one means something else
 */
export function readClickQuery(url: string): ClickQuery {
  const values = new Map<string, string>();
  const fields = new Map<string, string>();
  const at = url.indexOf('?');
  const pairs = at < 0 ? [] : url.slice(at + 1).split('&');
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const name = decoded(equals < 0 ? pair : pair.slice(0, equals)) ?? '';
    const isField = name.startsWith(FIELD_PREFIX);
    if (!isField && !KNOWN.includes(name)) continue;
    const value = equals < 0 ? '' : decoded(pair.slice(equals + 1));
    if (value === undefined || CONTROL.test(value)) {
      throw refused(`the parameter ${name} is no UTF-8 text or holds a control character`);
    }
    if (value === '' && NEVER_EMPTY.includes(name)) throw refused(`the parameter ${name} is empty`);
    const [into, key] = isField ? [fields, name.slice(FIELD_PREFIX.length)] : [values, name];
    if (isField) checkFieldName(key);
    if (into.has(key)) throw refused(`the parameter ${name} comes twice`);
    into.set(key, value);
  }
  if (fields.size > FIELDS_MAX) throw refused(`more than ${String(FIELDS_MAX)} fields`);
  return { values, fields };
}

/** The query, percent-encoded, that `readClickQuery` reads a click from. */
export function clickQuery(click: {
  readonly eventId?: string | undefined;
  readonly timestamp?: string | undefined;
  readonly fields: ReadonlyMap<string, string>;
}): string {
  return queryOf([
    ['event_id', click.eventId],
    ['timestamp', click.timestamp],
    ...[...click.fields].map(([name, value]) => [FIELD_PREFIX + name, value] as const),
  ]);
}

/** Pairs as a query; one without a value is left out. */
export function queryOf(pairs: readonly (readonly [string, string | undefined])[]): string {
  return pairs
    .filter((pair): pair is readonly [string, string] => pair[1] !== undefined)
    .map((pair) => pair.map((text) => encodeURIComponent(text)).join('='))
    .join('&');
}

/** @throws TruecountError `invalid_argument` */
export function checkFieldName(name: string): void {
  if (FIELD_NAME.test(name) && !RESERVED_FIELDS.includes(name)) return;
  throw refused('a field has a name of letters, digits and _, and is no id or time of the click');
}

/** A control character in a text would let two different links have one text to sign. */
export function hasControl(text: string): boolean {
  return CONTROL.test(text);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

function refused(message: string): TruecountError {
  return new TruecountError('invalid_argument', message, {
    hint: 'make links with `truecount link`',
  });
}
