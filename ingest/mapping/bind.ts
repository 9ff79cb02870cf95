import { TruecountError } from '../../core/errors.js';
import type { Column, Mapping } from './mapping-schema.js';
import { percentDecoded } from './percent.js';
import { timestampReader } from './timestamp.js';
import type { TimestampReader } from './timestamp.js';

export type MappedRow =
  | { readonly kind: 'click'; readonly json: string; readonly adId: string }
  /** `cell` is the index of the cell at fault, where it is one cell. */
  | { readonly kind: 'rejected'; readonly reason: string; readonly cell?: number };

/** Turns a row into the JSON of a click; `position` is its id by position in the source. */
export type RowMapper = (row: readonly string[], position: string) => MappedRow;

interface Cell {
  readonly text: (row: readonly string[]) => string;
  /** Index of the cell that it reads; undefined for a constant. */
  readonly index: number | undefined;
}

interface Plan {
  readonly eventId: Cell | 'position';
  readonly adId: Cell;
  readonly timestamp: Cell;
  readonly readTimestamp: TimestampReader;
  readonly timeFormat: string;
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
    const { eventId: idCell } = plan;
    const eventId = idCell === 'position' ? position : idCell.text(row);
    if (eventId === '') return rejected('the event id is empty', idCell);
    const adId = plan.adId.text(row);
    if (adId === '') return rejected('the ad id is empty', plan.adId);
    const time = plan.timestamp.text(row);
    const eventMs = plan.readTimestamp(time);
    if (eventMs === null) {
      const reason = `the time is unreadable: ${shortened(time)} (expected ${plan.timeFormat})`;
      return rejected(reason, plan.timestamp);
    }
    const ids = `"event_id":${JSON.stringify(eventId)},"ad_id":${JSON.stringify(adId)}`;
    let json = `{${ids},"timestamp":${eventMs}`;
    for (const [name, cell] of plan.fields) {
      const text = cell.text(row);
      if (text !== '') json += `,${name}:${JSON.stringify(text)}`;
    }
    // What a decoder puts for bytes that are not UTF-8: two different ids could be one by now.
    if (json.includes('\ufffd')) return notUtf8(plan, row);
    return { kind: 'click', json: `${json}}`, adId };
  };
}

function notUtf8(plan: Plan, row: readonly string[]): MappedRow {
  const cells = [plan.eventId, plan.adId, ...plan.fields.map(([, cell]) => cell)];
  const at = cells.find((cell) => cell !== 'position' && cell.text(row).includes('\ufffd'));
  return rejected('a value is not valid UTF-8 (or holds U+FFFD)', at);
}

function planOf(mapping: Mapping, header: readonly string[]): Plan {
  const cell = (source: Column | { value: string }): Cell => {
    if ('value' in source) return { text: () => source.value, index: undefined };
    const plain = columnCell(header, source.column);
    if (source.decode === undefined) return plain;
    return { text: (row) => percentDecoded(plain.text(row)), index: plain.index };
  };
  return {
    eventId: 'position' in mapping.event_id ? 'position' : cell(mapping.event_id),
    adId: cell(mapping.ad_id),
    timestamp: cell(mapping.timestamp),
    readTimestamp: timestampReader(mapping.timestamp.format),
    timeFormat: mapping.timestamp.format,
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
    timeFormat: 'epoch_ms or rfc3339',
    fields: header
      .filter((name) => !own.includes(name))
      .map((name) => [JSON.stringify(name), columnCell(header, name)]),
  };
}

function columnCell(header: readonly string[], name: string): Cell {
  const index = header.indexOf(name);
  if (index >= 0 && header.lastIndexOf(name) === index) {
    return { text: (row) => row[index] ?? '', index };
  }
  const what = index < 0 ? `there is no column "${name}"` : `column "${name}" occurs twice`;
  throw new TruecountError('invalid_mapping', `${what}; the columns are: ${header.join(', ')}`, {
    hint: 'name the columns in a mapping file (--mapping FILE), as in examples/*.mapping.yaml',
    context: { column: name, columns: header },
  });
}

function rejected(reason: string, at: Cell | 'position' | undefined): MappedRow {
  const cell = at === 'position' ? undefined : at?.index;
  return { kind: 'rejected', reason, ...(cell === undefined ? {} : { cell }) };
}

function shortened(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
