import { TruecountError } from '../../core/errors.js';
import type { Mapping } from './mapping.js';
import { timestampReader } from './timestamp.js';
import type { TimestampReader } from './timestamp.js';

export type MappedRow =
  | { readonly kind: 'click'; readonly json: string; readonly adId: string }
  | { readonly kind: 'rejected'; readonly reason: string };

/** Turns a row into the JSON of a click; `position` is its id by position in the source. */
export type RowMapper = (row: readonly string[], position: string) => MappedRow;

type Cell = (row: readonly string[]) => string;

interface Plan {
  readonly eventId: Cell | 'position';
  readonly adId: Cell;
  readonly timestamp: Cell;
  readonly readTimestamp: TimestampReader;
  readonly fields: readonly (readonly [jsonName: string, cell: Cell])[];
}

/**
 * Binds a mapping to the header of a source. Without a mapping the columns are taken to be named
 * like the fields of a click, times RFC 3339 or epoch ms. A row without event id, ad id or readable
 * time is rejected with its reason; all else is for the decoder behind the log to judge. An empty
 * cell is an absent field.
 * @throws TruecountError `invalid_mapping` if the header lacks a column or has it twice.
 */
export function bindMapping(mapping: Mapping | undefined, header: readonly string[]): RowMapper {
  const plan = mapping === undefined ? planByName(header) : planOf(mapping, header);
  return (row, position) => {
    const eventId = plan.eventId === 'position' ? position : plan.eventId(row);
    if (eventId === '') return rejected('the event id is empty');
    const adId = plan.adId(row);
    if (adId === '') return rejected('the ad id is empty');
    const time = plan.timestamp(row);
    const eventMs = plan.readTimestamp(time);
    if (eventMs === null) return rejected(`the time is unreadable: ${shortened(time)}`);
    const ids = `"event_id":${JSON.stringify(eventId)},"ad_id":${JSON.stringify(adId)}`;
    let json = `{${ids},"timestamp":${eventMs}`;
    for (const [name, cell] of plan.fields) {
      const text = cell(row);
      if (text !== '') json += `,${name}:${JSON.stringify(text)}`;
    }
    // What a decoder puts for bytes that are not UTF-8: two different ids could be one by now.
    if (json.includes('\ufffd')) return rejected('a value is not valid UTF-8 (or holds U+FFFD)');
    return { kind: 'click', json: `${json}}`, adId };
  };
}

function planOf(mapping: Mapping, header: readonly string[]): Plan {
  const cell = (source: { column: string } | { value: string }): Cell => {
    if ('value' in source) return () => source.value;
    return columnCell(header, source.column);
  };
  return {
    eventId: 'position' in mapping.event_id ? 'position' : cell(mapping.event_id),
    adId: cell(mapping.ad_id),
    timestamp: cell(mapping.timestamp),
    readTimestamp: timestampReader(mapping.timestamp.format),
    fields: Object.entries(mapping.fields ?? {}).map(([name, source]) => [
      JSON.stringify(name),
      cell(source),
    ]),
  };
}

function planByName(header: readonly string[]): Plan {
  const rfc3339 = timestampReader('rfc3339');
  const epochMs = timestampReader('epoch_ms');
  const own = ['event_id', 'ad_id', 'timestamp'];
  return {
    eventId: columnCell(header, 'event_id'),
    adId: columnCell(header, 'ad_id'),
    timestamp: columnCell(header, 'timestamp'),
    readTimestamp: (text) => epochMs(text) ?? rfc3339(text),
    fields: header
      .filter((name) => !own.includes(name))
      .map((name) => [JSON.stringify(name), columnCell(header, name)]),
  };
}

function columnCell(header: readonly string[], name: string): Cell {
  const index = header.indexOf(name);
  if (index >= 0 && header.lastIndexOf(name) === index) return (row) => row[index] ?? '';
  const what = index < 0 ? `there is no column "${name}"` : `column "${name}" occurs twice`;
  throw new TruecountError('invalid_mapping', `${what}; the columns are: ${header.join(', ')}`, {
    hint: 'name the columns in a mapping file (--mapping FILE), as in examples/*.mapping.yaml',
    context: { column: name, columns: header },
  });
}

function rejected(reason: string): MappedRow {
  return { kind: 'rejected', reason };
}

function shortened(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
