import { Readable, pipeline } from 'node:stream';
import { parse } from 'csv-parse';
import type { CsvError, Info } from 'csv-parse';
import { TruecountError } from '../../core/errors.js';
import { bindMapping } from '../mapping/bind.js';
import type { RowMapper } from '../mapping/bind.js';
import type { Mapping } from '../mapping/mapping.js';
import { PositionIds } from './position-id.js';
import { RECORD_BYTES_MAX } from './source-item.js';
import type { SourceItem } from './source-item.js';

interface Row {
  readonly record: string[];
  readonly info: Info;
}

/** After these the parser no longer knows where a row ends: the rest of the file is unreadable. */
const FATAL = ['CSV_QUOTE_NOT_CLOSED', 'CSV_MAX_RECORD_SIZE'];

/**
 * CSV (RFC 4180; CR LF or LF, a byte order mark is dropped) as clicks, through a mapping. A row that
 * the mapping cannot turn into a click is rejected here, with its line: unlike a line of NDJSON it
 * is no record that the log could keep.
 * @throws TruecountError `invalid_mapping` if header and mapping do not fit, `invalid_argument` if
 * the file stops being CSV (a quote that is never closed).
 */
export async function* readCsv(
  source: AsyncIterable<Buffer>,
  mapping?: Mapping,
): AsyncGenerator<SourceItem> {
  const skipped: SourceItem[] = [];
  let header = mapping?.csv?.columns;
  let read = header === undefined ? undefined : rowReader(header, mapping);
  for await (const { record, info } of rows(source, mapping, skipped)) {
    yield* skipped.splice(0);
    if (read !== undefined) yield read(record, info.lines);
    else read = rowReader((header = record), mapping);
  }
  yield* skipped;
  // An empty file does not fit any mapping.
  if (header === undefined) bindMapping(mapping, []);
}

function rowReader(
  header: readonly string[],
  mapping: Mapping | undefined,
): (row: readonly string[], line: number) => SourceItem {
  const mapper = bindMapping(mapping, header);
  const byPosition = mapping !== undefined && 'position' in mapping.event_id;
  const ids = byPosition ? new PositionIds(header) : undefined;
  return (row, line) => toItem(row, ids?.next(row) ?? '', line, header.length, mapper);
}

function toItem(
  row: readonly string[],
  position: string,
  line: number,
  width: number,
  mapper: RowMapper,
): SourceItem {
  if (row.length !== width) {
    return { kind: 'rejected', line, reason: `${row.length} columns instead of ${width}` };
  }
  const mapped = mapper(row, position);
  if (mapped.kind === 'rejected') return { kind: 'rejected', line, reason: mapped.reason };
  const bytes = Buffer.from(mapped.json);
  if (bytes.length > RECORD_BYTES_MAX) {
    return { kind: 'rejected', line, reason: `longer than ${RECORD_BYTES_MAX} bytes as JSON` };
  }
  return { kind: 'record', bytes, key: Buffer.from(mapped.adId), line };
}

function rows(
  source: AsyncIterable<Buffer>,
  mapping: Mapping | undefined,
  skipped: SourceItem[],
): AsyncIterable<Row> {
  let lastLine = -1;
  const parser = parse({
    bom: true,
    delimiter: mapping?.csv?.delimiter ?? ',',
    info: true,
    max_record_size: RECORD_BYTES_MAX,
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    on_skip: (error) => {
      if (error === undefined) return undefined;
      if (FATAL.includes(error.code)) throw unreadable(error);
      const line = Number(error['lines']);
      // One row may have several faults; the first says enough.
      if (line !== lastLine) skipped.push({ kind: 'rejected', line, reason: error.message });
      lastLine = line;
      return undefined;
    },
  });
  pipeline(Readable.from(source, { objectMode: false }), parser, () => {
    // Errors reach the reader of the parser, which the pipeline destroys with them.
  });
  return parser as AsyncIterable<Row>;
}

function unreadable(cause: CsvError): TruecountError {
  const row = Number(cause['records']);
  return new TruecountError(
    'invalid_argument',
    `the CSV cannot be read beyond row ${row}, the header included: ${cause.message}`,
    {
      hint: 'a quote is opened there and never closed: correct the file and ingest it again',
      context: { row },
      cause,
    },
  );
}
