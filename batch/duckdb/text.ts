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

/** A table and the names of its columns, all of them texts. */
export interface TextTable {
  readonly table: string;
  readonly columns: readonly string[];
}

/**
 * Maps texts by a function of JavaScript: for each row of `source`, which has no nulls, a row in the
 * new table `target`, with the columns of both. `of` gets the texts of the source's columns and
 * gives those of the target's; null: no row.
 */
export async function mapTexts(
  session: DuckSession,
  source: TextTable,
  target: TextTable,
  of: (texts: readonly string[]) => readonly (string | null)[] | null,
): Promise<void> {
  const columns = [...source.columns, ...target.columns].map((name) => `${name} varchar`);
  await session.run(`create temp table ${target.table} (${columns.join(', ')})`);
  const encoded = source.columns.map((name) => `encode(${name})`).join(', ');
  let read = PAGE_ROWS;
  for (let from = 0; read === PAGE_ROWS; from += PAGE_ROWS) {
    const page: (string | null)[][] = [];
    read = 0;
    const where = `rowid >= ${String(from)} and rowid < ${String(from + PAGE_ROWS)}`;
    const sql = `select ${encoded} from ${source.table} where ${where}`;
    for await (const chunk of session.chunks(sql)) {
      const columnsOf = source.columns.map((_, column) => textsOf(chunk, column));
      const count = chunk.rowCount;
      read += count;
      for (let row = 0; row < count; row++) {
        const texts = columnsOf.map((text) => text(row));
        const mapped = of(texts);
        if (mapped !== null) page.push([...texts, ...mapped]);
      }
    }
    await session.append(target.table, page);
  }
}
