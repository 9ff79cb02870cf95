import { DuckDBInstance } from '@duckdb/node-api';
import type { Cells } from '../../support/stream.js';

const QUOTED = '"(?:[^"\\\\]|\\\\.)*"';
/** A line of the format; one that is cut off, as real logs have them, is none. */
const COMBINED = `\\S+ \\S+ \\S+ \\[[^\\]]+\\] ${QUOTED} \\d{3} (?:\\d+|-) ${QUOTED} ${QUOTED}`;

/**
 * The cells of an access log in the combined format, by SQL on its lines: one click a line, the ad
 * is the path. No field is a dimension, so each counts as unknown.
 */
export async function accessLogTruth(file: string): Promise<Cells> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  try {
    const reader = await connection.runAndReadAll(`
      with requests as (
        select regexp_extract(line, '"[A-Z]+ ([^ ?"]+)', 1) as path,
               strptime(regexp_extract(line, '\\[([^\\]]+)\\]', 1), '%d/%b/%Y:%H:%M:%S %z') as requested_at
          from read_csv('${file.replaceAll("'", "''")}', columns = {'line': 'VARCHAR'},
                 delim = '\x01', quote = '', escape = '', header = false, auto_detect = false)
         where regexp_full_match(line, '${COMBINED}'))
      select path, epoch_ms(date_trunc('minute', requested_at)) as minute, filter, count(*)
        from (select path, requested_at, unnest(['', 'country:unknown', 'device:unknown',
                                       'format:unknown']) as filter from requests)
       group by all`);
    const rows = reader.getRows() as [string, bigint, string, bigint][];
    return new Map(
      rows.map(([path, minute, filter, n]) => [`${path}|${String(minute)}|${filter}`, Number(n)]),
    );
  } finally {
    connection.closeSync();
  }
}
