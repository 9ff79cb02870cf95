import { TruecountError } from '../../core/errors.js';
import { bindMapping } from '../mapping/bind.js';
import type { RowMapper } from '../mapping/bind.js';
import type { Mapping } from '../mapping/mapping-schema.js';
import { OpenCsvRow } from './csv-open-row.js';
import { csvCellColumn, splitCsvRow } from './csv-row.js';
import { trimLine } from './lines.js';
import { PositionIds } from './position-id.js';
import type { ReaderOptions, ReaderState, RecordReader } from './record-reader.js';
import { RECORD_BYTES_MAX, TOO_LONG, clickItem, rejection } from './source-item.js';
import type { SourceItem } from './source-item.js';
import { placeIn } from './text-place.js';
import type { TextPlace } from './text-place.js';

/**
 * CSV (RFC 4180; CR LF or LF, a byte order mark is dropped) as clicks, through a mapping. A row
 * that the mapping cannot turn into a click is rejected here, with its line: unlike a line of NDJSON
 * it is no record that the log could keep. Rows that are no CSV have no part in ids by position.
 */
export class CsvReader implements RecordReader {
  private readonly mapping: Mapping | undefined;
  private readonly source: string | undefined;
  private readonly delimiter: string;
  private line: number;
  private header: readonly string[] | undefined;
  private readonly headerBefore: readonly string[] | undefined;
  private map: RowMapper | undefined;
  private ids: PositionIds | undefined;
  private open: OpenCsvRow | undefined;

  /** @throws TruecountError `invalid_mapping` if columns that are known already do not fit. */
  constructor({ format, mapping, source, state }: ReaderOptions) {
    this.mapping = mapping;
    this.source = source;
    this.delimiter = mapping?.csv?.delimiter ?? (format === 'tsv' ? '\t' : ',');
    this.line = state?.line ?? 0;
    this.headerBefore = state?.headerBefore;
    const header = state?.header ?? mapping?.csv?.columns;
    if (header !== undefined) this.bind(header, state);
  }

  read(raw: Buffer | null): SourceItem | null {
    this.line += 1;
    if (this.open !== undefined) return this.goOn(this.open, raw);
    const bytes = raw === null ? null : trimLine(raw, this.line === 1);
    if (bytes?.length === 0) return null;
    if (bytes === null || bytes.length > RECORD_BYTES_MAX) {
      if (this.header === undefined) throw badHeader(TOO_LONG);
      this.ids?.next([]);
      return rejection(this.line, undefined, TOO_LONG);
    }
    const text = bytes.toString();
    const row = splitCsvRow(text, this.delimiter);
    if (row.kind === 'row') return this.take(row.cells, text, this.line);
    const place = placeIn(text, row.column, this.line);
    if (row.kind === 'rejected') return this.refuse(place, row.reason);
    this.open = new OpenCsvRow(text, raw!, place);
    return null;
  }

  state(): ReaderState {
    return {
      // Only a whole row changes the rest.
      line: this.open === undefined ? this.line : this.open.line - 1,
      ...(this.ids?.state() ?? { row: 0, chain: '' }),
      ...this.columns(),
    };
  }

  isBetweenRecords(): boolean {
    return this.open === undefined;
  }

  end(): void {
    if (this.open !== undefined) throw this.open.neverClosed();
  }

  private goOn(open: OpenCsvRow, raw: Buffer | null): SourceItem | null {
    const text = open.add(raw);
    if (text === undefined) return null;
    this.open = undefined;
    const row = splitCsvRow(text, this.delimiter);
    if (row.kind === 'row') return this.take(row.cells, text, open.line);
    const place = placeIn(text, row.column, open.line);
    return this.refuse(place, row.kind === 'open' ? 'quotes that do not pair' : row.reason);
  }

  /** `text` is that of the row, which begins with line `firstLine`. */
  private take(row: readonly string[], text: string, firstLine: number): SourceItem | null {
    if (this.header === undefined) {
      const isClick = this.goesOn(row);
      this.bind(isClick ? this.headerBefore! : row);
      if (!isClick) return null;
    }
    const map = this.map!;
    const header = this.header!;
    const position = this.ids?.next(row) ?? '';
    const placeOf = (cell: number): TextPlace =>
      placeIn(text, csvCellColumn(text, this.delimiter, cell), firstLine);
    if (row.length !== header.length) {
      const { line, column } = placeOf(Math.min(row.length, header.length));
      return rejection(line, column, `${row.length} columns instead of ${header.length}`);
    }
    const mapped = map(row, position);
    if (mapped.kind === 'click') return clickItem(this.line, mapped.json, mapped.adId);
    if (mapped.cell === undefined) return rejection(this.line, undefined, mapped.reason);
    const { line, column } = placeOf(mapped.cell);
    return rejection(line, column, mapped.reason);
  }

  private columns(): Pick<ReaderState, 'header' | 'headerBefore'> {
    if (this.header !== undefined) return { header: this.header };
    return this.headerBefore === undefined ? {} : { headerBefore: this.headerBefore };
  }

  /** Whether a first row is a click by the columns of before: names of columns have no time. */
  private goesOn(row: readonly string[]): boolean {
    const { headerBefore, mapping } = this;
    if (row.length !== headerBefore?.length) return false;
    try {
      return bindMapping(mapping, headerBefore)(row, 'any').kind === 'click';
    } catch {
      // Columns of before, and a mapping of now.
      return false;
    }
  }

  private refuse({ line, column }: TextPlace, reason: string): SourceItem {
    if (this.header === undefined) throw badHeader(reason, { line, column });
    return rejection(line, column, reason);
  }

  private bind(header: readonly string[], state?: ReaderState): void {
    this.header = header;
    this.map = bindMapping(this.mapping, header);
    const byPosition = this.mapping !== undefined && 'position' in this.mapping.event_id;
    if (byPosition) this.ids = new PositionIds(header, this.source, state);
  }
}

function badHeader(reason: string, place?: TextPlace): TruecountError {
  const where = place === undefined ? '' : `, at line ${place.line}, character ${place.column}`;
  return new TruecountError(
    'invalid_argument',
    `the line of column names is no CSV${where}: ${reason}`,
    {
      hint: 'correct it; or name the columns in the mapping, under csv.columns, if there is none',
    },
  );
}
