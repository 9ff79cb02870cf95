import { isSafeText } from '../text.js';
import { jsonMembers } from './json-members.js';
import type { DecodeResult, FieldValue } from './click.js';
import { fieldValue, readClick } from './parse.js';

/** Fields with a column of their own in the lake, in the order of the columns. Part of its format. */
export const FIELD_COLUMNS = ['user_id', 'ip', 'country', 'device', 'ad_format'] as const;

export type FieldColumn = (typeof FIELD_COLUMNS)[number];

/** A click as the lake keeps it: whole, before any rule. Its position goes beside it. */
export interface ShreddedClick {
  readonly kind: 'click';
  readonly eventMs: number;
  readonly adId: string;
  readonly eventId: string;
  /** By FIELD_COLUMNS: the text of the field, where it is a string of safe Unicode; else null. */
  readonly fields: readonly (string | null)[];
  /** JSON object with everything else the record says; null if that is nothing. See `shredClick`. */
  readonly rest: string | null;
}

const COLUMN_INDEX = new Map<string, number>(FIELD_COLUMNS.map((name, i) => [name, i]));
const IDENTITY = ['event_id', 'ad_id'];
const TIMESTAMP = 'timestamp';
/** Stands in `rest` for the one way to write `event_ms` as text that needs no text: see there. */
const USUAL_TEXT = '""';

/**
 * Takes a record value apart into the columns of the lake. The verdict and the values are those of
 * `parseClick`; nothing that JSON says is lost: `unshredClick` gives the same members back.
 *
 * `rest` has the members without a column, sorted by key, each value in the text it was written in
 * (a number keeps all its digits), the last one where a key is repeated. `timestamp` is absent if
 * it was the number `event_ms`; `""`, which no click has, if it was `event_ms` as RFC 3339 with
 * milliseconds and Z; else as it was written.
 */
export function shredClick(
  value: Uint8Array | null,
  appendMs: number,
): ShreddedClick | Extract<DecodeResult, { kind: 'rejected' }> {
  const read = readClick(value, appendMs);
  if (read.kind === 'rejected') return read;
  const { record, text, eventMs, adId, eventId } = read;
  const fields: (string | null)[] = [null, null, null, null, null];
  const others: string[] = [];
  for (const key of Object.keys(record)) {
    const column = COLUMN_INDEX.get(key);
    const member = record[key];
    if (column !== undefined && typeof member === 'string' && isSafeText(member)) {
      fields[column] = member;
    } else if (key === TIMESTAMP ? member !== eventMs : !IDENTITY.includes(key)) {
      others.push(key);
    }
  }
  const usual = record[TIMESTAMP] === new Date(eventMs).toISOString();
  const rest = others.length === 0 ? null : restOf(others, text, usual);
  return { kind: 'click', eventMs, adId, eventId, fields, rest };
}

function restOf(keys: string[], text: string, usualTime: boolean): string {
  const written = keys.length === 1 && usualTime ? null : jsonMembers(text);
  const members = keys.sort().map((key) => {
    const value = key === TIMESTAMP && usualTime ? USUAL_TEXT : written!.get(key)!;
    return `${JSON.stringify(key)}:${value}`;
  });
  return `{${members.join(',')}}`;
}

/** The record as JSON text: the same members as the record that was taken apart. */
export function unshredClick(click: ShreddedClick): string {
  const members = new Map<string, string>([
    ['event_id', JSON.stringify(click.eventId)],
    ['ad_id', JSON.stringify(click.adId)],
    [TIMESTAMP, String(click.eventMs)],
  ]);
  FIELD_COLUMNS.forEach((name, i) => {
    const text = click.fields[i] ?? null;
    if (text !== null) members.set(name, JSON.stringify(text));
  });
  if (click.rest !== null) {
    for (const [key, value] of jsonMembers(click.rest)) members.set(key, value);
  }
  if (members.get(TIMESTAMP) === USUAL_TEXT) {
    members.set(TIMESTAMP, `"${new Date(click.eventMs).toISOString()}"`);
  }
  const written = [...members].map(([key, value]) => `${JSON.stringify(key)}:${value}`);
  return `{${written.join(',')}}`;
}

/** A field as a dimension: what `parseClick` says of it, from the columns alone. */
export function shreddedField(click: ShreddedClick, name: string): FieldValue {
  const column = COLUMN_INDEX.get(name);
  const text = column === undefined ? null : (click.fields[column] ?? null);
  if (text !== null) return fieldValue(text);
  const isTaken = name === TIMESTAMP || IDENTITY.includes(name);
  if (click.rest === null && !isTaken) return fieldValue(undefined);
  const record = JSON.parse(unshredClick(click)) as Record<string, unknown>;
  return fieldValue(Object.hasOwn(record, name) ? record[name] : undefined);
}
