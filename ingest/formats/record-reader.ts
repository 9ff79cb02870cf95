import type { Mapping } from '../mapping/mapping-schema.js';
import { CsvReader } from './csv.js';
import { LogReader } from './log.js';
import { NdjsonReader } from './ndjson.js';
import type { SourceItem } from './source-item.js';

/** What a file of clicks can be written in. `log`: as the mapping's `log.format` says. */
export const FORMATS = ['ndjson', 'csv', 'tsv', 'combined-log', 'common-log', 'log'] as const;
export type Format = (typeof FORMATS)[number];

/** What a reader has to remember behind a line; JSON, small: saved with the byte offset. */
export interface ReaderState {
  /** Lines read. */
  readonly line: number;
  /** Rows that got an id by position, and the hash of them; 0 and '' where there are none. */
  readonly row: number;
  readonly chain: string;
  /** The names of a CSV's columns, once they are known. */
  readonly header?: readonly string[];
  /**
   * While a CSV's first row was not read: the names of columns that the file had before it was
   * truncated. They go on to count if the first row is a click by them.
   */
  readonly headerBefore?: readonly string[];
}

/** Turns the lines of one file into records, in order. */
export interface RecordReader {
  /**
   * One line without its LF, and from the first byte of the file on; a CR at its end and a byte
   * order mark in front are taken off here. `null` is a line over the caller's limit, which must be
   * at least RECORD_BYTES_MAX + LINE_MARKS_BYTES. Null comes back for a line that makes no record
   * (empty, names of columns). What comes back may share the line's memory.
   * @throws TruecountError `invalid_mapping` if the names of a CSV's columns do not fit the mapping.
   */
  read(line: Buffer | null): SourceItem | null;
  /** Where to go on behind the last line; within a row of several lines, in front of that row. */
  state(): ReaderState;
  /** False within a row that goes over several lines. */
  isBetweenRecords(): boolean;
  /**
   * To be called behind the last line of a file that is complete.
   * @throws TruecountError if it ends within a row.
   */
  end(): void;
}

export interface ReaderOptions {
  readonly format: Format;
  /** Needed for logs; for CSV, without it, the columns are named like the fields of a click. */
  readonly mapping?: Mapping | undefined;
  /** Tells sources with equal lines apart in ids by position: see `PositionIds`. */
  readonly source?: string | undefined;
  /** Go on behind the line where this was taken, from a reader with the same options. */
  readonly state?: ReaderState | undefined;
}

/** @throws TruecountError `invalid_mapping` if format and mapping do not fit. */
export function openRecordReader(options: ReaderOptions): RecordReader {
  switch (options.format) {
    case 'ndjson':
      return new NdjsonReader(options.state);
    case 'csv':
    case 'tsv':
      return new CsvReader(options);
    default:
      return new LogReader(options);
  }
}
