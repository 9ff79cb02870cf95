import type { DuckDBBlobVector } from '@duckdb/node-api';
import type { DuckDBDataChunk } from '@duckdb/node-api';
import type { DuckSession } from './session.js';

/** Values looked at together: bounds what JavaScript holds of a column of any size. */
const PAGE_ROWS = 20_000;

/**
 * The texts of a column that holds `encode(text)`. Read as VARCHAR, a text that begins with U+FEFF
 * would lose it: the client's decoder takes it for a byte order mark.
 */
export function textsOf(chunk: DuckDBDataChunk, column: number): (row: number) => string {
  const vector = chunk.getColumnVector(column) as DuckDBBlobVector;
  return (row) => Buffer.from(vector.getItem(row)!.bytes).toString('utf8');
}

/**
 * Maps texts by a function of JavaScript: for each value of `source` (a table with the one column
 * `raw`, without nulls) a row (raw, filter) in the new table `target`.
 */
export async function mapTexts(
  session: DuckSession,
  source: string,
  target: string,
  toFilter: (text: string) => string | null,
): Promise<void> {
  await session.run(`create temp table ${target} (raw varchar, filter varchar)`);
  const rows = await session.number(`select count(*) from ${source}`);
  for (let from = 0; from < rows; from += PAGE_ROWS) {
    const page: string[][] = [];
    const where = `rowid >= ${String(from)} and rowid < ${String(from + PAGE_ROWS)}`;
    for await (const chunk of session.chunks(`select encode(raw) from ${source} where ${where}`)) {
      const text = textsOf(chunk, 0);
      for (let row = 0; row < chunk.rowCount; row++) {
        const raw = text(row);
        const filter = toFilter(raw);
        if (filter !== null) page.push([raw, filter]);
      }
    }
    await session.append(target, page);
  }
}
