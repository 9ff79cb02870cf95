import { createRequire } from 'node:module';

/** What is used of parquetjs-lite, which has no types: a reader that shares no code with DuckDB. */
interface Cursor {
  next(): Promise<Readonly<Record<string, unknown>> | null>;
}
interface Reader {
  getRowCount(): unknown;
  getCursor(): Cursor;
  close(): Promise<void>;
}

const { ParquetReader } = createRequire(import.meta.url)('parquetjs-lite') as {
  ParquetReader: { openFile(path: string): Promise<Reader> };
};

/** All rows of a Parquet file. */
export async function readByParquetjs(path: string): Promise<Readonly<Record<string, unknown>>[]> {
  const reader = await ParquetReader.openFile(path);
  try {
    const rows = [];
    const cursor = reader.getCursor();
    for (let row = await cursor.next(); row !== null; row = await cursor.next()) rows.push(row);
    if (rows.length !== Number(reader.getRowCount())) throw new Error('rows are missing');
    return rows;
  } finally {
    await reader.close();
  }
}
