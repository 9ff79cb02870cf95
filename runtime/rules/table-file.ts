import { CsvError, parse, type Info } from 'csv-parse/sync';
import { utf8Text } from '../../core/utf8.js';
import { invalidAt } from './invalid.js';

/** A table of a rule set, read from a file of its own. */
export interface TableFile {
  readonly path: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** The line in the file that each row ends in. */
  readonly lines: readonly number[];
}

/**
 * Reads a table from the bytes of a CSV file (RFC 4180; CR LF or LF, a byte order mark is dropped). The first line names
 * the columns; the first column is the key, whatever it is called.
 * @throws TruecountError `invalid_rule_set` with file and line
 */
export function parseTableFile(path: string, bytes: Uint8Array): TableFile {
  const [head, ...rows] = records(path, bytes);
  if (head === undefined) throw invalidAt(path, 1, 'is empty: its first line names the columns');
  const width = head.record.length;
  for (const { record, info } of rows) {
    if (record.length === width) continue;
    const [had, wanted] = [String(record.length), String(width)];
    throw invalidAt(path, info.lines, `has ${had} columns instead of ${wanted}`);
  }
  return {
    path,
    columns: head.record.slice(1),
    rows: rows.map(({ record }) => record),
    lines: rows.map(({ info }) => info.lines),
  };
}

interface CsvRecord {
  readonly record: string[];
  readonly info: Info;
}

function records(path: string, bytes: Uint8Array): CsvRecord[] {
  const text = utf8Text(bytes, (line) => invalidAt(path, line, 'is not UTF-8'));
  try {
    const options = { info: true, relax_column_count: true, skip_empty_lines: true };
    return parse(text, options) as unknown as CsvRecord[];
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw invalidAt(path, Number(cause['lines']), `is no CSV: ${cause.message}`, cause);
  }
}
