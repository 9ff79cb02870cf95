import { CLICK_LIMITS } from '../../core/click/click.js';
import { jsonMembers } from '../../core/click/json-members.js';
import { readClick, readObject } from '../../core/click/parse.js';
import type { RejectReason } from '../../core/click/reasons.js';
import type { Position } from '../../core/position.js';
import { fitsUtf8, isSafeText } from '../../core/text.js';
import type { Column, Mapping } from '../mapping/mapping-schema.js';
import { percentDecoded } from '../mapping/percent.js';
import { timestampReader } from '../mapping/timestamp.js';

/** What is to be sent for a quarantined record, or why it would be quarantined once more. */
export type Mended =
  | { readonly kind: 'click'; readonly bytes: Buffer; readonly adId: string }
  | { readonly kind: 'rejected'; readonly reason: RejectReason; readonly detail: string };

/** Mends one record; `nowMs` stands in for the append time that it would get. */
export type Mender = (raw: Buffer | null, from: Position, nowMs: number) => Mended;

/**
 * A mender by a mapping (`checkRedriveMapping`), or for the bytes as they are. The log's own decoder
 * has the last word: what it would not take today is not sent.
 *
 * A mapping's `column` is a member of the record's JSON object, its text the string or the number's
 * own digits; the members that it does not set stay as they are written. `{position: true}` keeps
 * the event id that the record has and gives one by its position if it has none: so a second redrive
 * is a duplicate, also of a record that was quarantined again after the first.
 */
export function menderOf(mapping: Mapping | undefined): Mender {
  const rewrite = mapping === undefined ? undefined : rewriterOf(mapping);
  return (raw, from, nowMs) => {
    const bytes = raw === null || rewrite === undefined ? raw : rewrite(raw, from);
    if (bytes !== null && !Buffer.isBuffer(bytes)) return bytes;
    const read = readClick(bytes, nowMs);
    if (read.kind === 'rejected') return read;
    return { kind: 'click', bytes: bytes!, adId: read.adId };
  };
}

type Rejected = Extract<Mended, { kind: 'rejected' }>;

function rewriterOf(mapping: Mapping): (raw: Buffer, from: Position) => Buffer | Rejected {
  const readTime = timestampReader(mapping.timestamp.format);
  return (raw, from) => {
    const read = readObject(raw);
    if (read.kind === 'rejected') return read;
    const members = jsonMembers(read.text);
    const found = (source: Column | { value: string }): string | undefined => {
      if ('value' in source) return source.value;
      const text = textOf(members.get(source.column));
      return source.decode === undefined || text === undefined ? text : percentDecoded(text);
    };
    const eventId = 'position' in mapping.event_id ? idOf(members, from) : found(mapping.event_id);
    if (eventId === undefined) return missing('event_id', mapping.event_id);
    const adId = found(mapping.ad_id);
    if (adId === undefined) return missing('ad_id', mapping.ad_id);
    const time = found(mapping.timestamp);
    if (time === undefined) return missing('timestamp', mapping.timestamp);
    const eventMs = readTime(time);
    if (eventMs === null) return unreadable(mapping.timestamp, time);
    for (const [name, source] of Object.entries(mapping.fields ?? {})) {
      const text = found(source);
      if (text !== undefined) members.set(name, JSON.stringify(text));
    }
    members.set('event_id', JSON.stringify(eventId));
    members.set('ad_id', JSON.stringify(adId));
    members.set('timestamp', String(eventMs));
    const written = [...members].map(([key, value]) => `${JSON.stringify(key)}:${value}`);
    return Buffer.from(`{${written.join(',')}}`);
  };
}

/** The text of a member as it is written; an empty one, and what is no text, is absent. */
function textOf(written: string | undefined): string | undefined {
  if (written === undefined) return undefined;
  if (/^[-\d]/.test(written)) return written;
  const text: unknown = written.startsWith('"') ? JSON.parse(written) : '';
  return text === '' ? undefined : (text as string);
}

function idOf(members: ReadonlyMap<string, string>, from: Position): string {
  const written = members.get('event_id');
  const own = written?.startsWith('"') === true ? (JSON.parse(written) as string) : '';
  const usable = own !== '' && isSafeText(own) && fitsUtf8(own, CLICK_LIMITS.idBytesMax);
  return usable ? own : `redriven:${from.topic}/${String(from.partition)}/${String(from.offset)}`;
}

function missing(field: string, source: object): Rejected {
  const where = 'column' in source ? ` (${field}: ${JSON.stringify(source)})` : '';
  return { kind: 'rejected', reason: 'missing_field', detail: `the mapping finds none${where}` };
}

/** Of a long text its beginning. */
const SHOWN_MAX = 40;

function unreadable({ column, format }: Mapping['timestamp'], text: string): Rejected {
  const shown = JSON.stringify(text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text);
  const detail = `${JSON.stringify(column)} is ${shown}, which is no time of the form ${format}`;
  return { kind: 'rejected', reason: 'bad_timestamp', detail };
}
