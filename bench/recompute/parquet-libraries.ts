import { rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBConnection } from '@duckdb/node-api';
import { scratchFolder } from '../support/end-by-signal.js';
import { sqlText } from '../../batch/duckdb/session.js';
import { median, thousands } from '../support/report.js';
import type { Report } from '../support/report.js';

/** What is used of parquetjs-lite, which has no types. */
interface Parquetjs {
  ParquetSchema: new (fields: object) => object;
  ParquetWriter: {
    openFile(
      schema: object,
      path: string,
    ): Promise<{
      appendRow(row: object): Promise<void>;
      close(): Promise<void>;
    }>;
  };
  ParquetReader: {
    openFile(path: string): Promise<{
      getCursor(columns?: readonly string[][]): { next(): Promise<Record<string, unknown> | null> };
      close(): Promise<void>;
    }>;
  };
}
const parquetjs = createRequire(import.meta.url)('parquetjs-lite') as Parquetjs;

const ROWS = 60_000;
const ROUNDS = 5;
const SNAPPY = { compression: 'SNAPPY' };
const SCHEMA = {
  filter: { type: 'UTF8', ...SNAPPY },
  ad_id: { type: 'UTF8', ...SNAPPY },
  minute: { type: 'INT32', ...SNAPPY },
  count: { type: 'INT64', ...SNAPPY },
};

function rowAt(i: number): Record<string, unknown> {
  const filter = ['', 'country:US', 'device:mobile'][i % 3];
  return { filter, ad_id: `ad-${String(i % 1000)}`, minute: i % 60, count: i };
}

/** parquetjs-lite and DuckDB write and read the same cells; and what parquetjs-lite gets wrong. */
export async function benchParquet(): Promise<Report> {
  const dir = scratchFolder();
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const duck = await instance.connect();
  try {
    await duck.run('create table cells (filter varchar, ad_id varchar, minute integer, n bigint)');
    const rows: Record<string, number[]> = { a: [], b: [], c: [], d: [] };
    const files = [join(dir, 'parquetjs.parquet'), join(dir, 'duckdb.parquet')] as const;
    for (let round = 0; round <= ROUNDS; round++) {
      rows['a']!.push(await timed(() => writeByParquetjs(files[0])));
      rows['b']!.push(await timed(() => readByParquetjs(files[0])));
      rows['c']!.push(await timed(() => writeByDuckdb(duck, files[1])));
      rows['d']!.push(await timed(() => readByDuckdb(duck, files[1])));
    }
    const rate = (key: string): string => thousands((ROWS / median(rows[key]!.slice(1))) * 1000);
    const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
    const row = (library: string, write: string, read: string, bytes: number) => ({
      library,
      'write rows/s': rate(write),
      'read rows/s': rate(read),
      'bytes/row': (bytes / ROWS).toFixed(1),
    });
    return {
      name: `parquet: ${thousands(ROWS)} cells from and to JavaScript values, one thread, snappy`,
      rows: [
        row('parquetjs-lite 0.8.7', 'a', 'b', sizes[0]!),
        row('@duckdb/node-api 1.5.5', 'c', 'd', sizes[1]!),
      ],
      notes: [
        `TIMESTAMP_MILLIS, its own file opened again: ${await reopenTimestamp(dir)}`,
        `INT64 2^53 + 1 given as BigInt, read by DuckDB: ${await bigIntKept(duck, dir)}`,
      ],
      raw: rows,
    };
  } finally {
    duck.closeSync();
    instance.closeSync();
    await rm(dir, { recursive: true, force: true });
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

async function writeByParquetjs(path: string): Promise<void> {
  const writer = await parquetjs.ParquetWriter.openFile(new parquetjs.ParquetSchema(SCHEMA), path);
  for (let i = 0; i < ROWS; i++) await writer.appendRow(rowAt(i));
  await writer.close();
}

async function readByParquetjs(path: string): Promise<void> {
  const reader = await parquetjs.ParquetReader.openFile(path);
  const cursor = reader.getCursor();
  let rows = 0;
  while ((await cursor.next()) !== null) rows++;
  await reader.close();
  if (rows !== ROWS) throw new Error(`read ${String(rows)} rows`);
}

async function writeByDuckdb(duck: DuckDBConnection, path: string): Promise<void> {
  await duck.run('truncate cells');
  const appender = await duck.createAppender('cells');
  for (let i = 0; i < ROWS; i++) {
    const { filter, ad_id: adId, minute, count } = rowAt(i);
    appender.appendVarchar(filter as string);
    appender.appendVarchar(adId as string);
    appender.appendInteger(minute as number);
    appender.appendBigInt(BigInt(count as number));
    appender.endRow();
  }
  appender.closeSync();
  await duck.run(`copy cells to ${sqlText(path)} (format parquet, compression snappy)`);
}

async function readByDuckdb(duck: DuckDBConnection, path: string): Promise<void> {
  const reader = await duck.runAndReadAll(`select * from read_parquet(${sqlText(path)})`);
  if (reader.getRowObjects().length !== ROWS) throw new Error('rows are missing');
}

/** Writes one time and opens the file again. */
async function reopenTimestamp(dir: string): Promise<string> {
  const path = join(dir, 'time.parquet');
  const schema = new parquetjs.ParquetSchema({ at: { type: 'TIMESTAMP_MILLIS' } });
  const writer = await parquetjs.ParquetWriter.openFile(schema, path);
  await writer.appendRow({ at: new Date(Date.UTC(2026, 10, 1)) });
  await writer.close();
  try {
    const reader = await parquetjs.ParquetReader.openFile(path);
    const row = await reader.getCursor().next();
    await reader.close();
    return `reads ${String(row?.['at'])}`;
  } catch (error) {
    return `fails: ${String(error)}`;
  }
}

async function bigIntKept(duck: DuckDBConnection, dir: string): Promise<string> {
  const path = join(dir, 'big.parquet');
  const schema = new parquetjs.ParquetSchema({ n: { type: 'INT64' } });
  const writer = await parquetjs.ParquetWriter.openFile(schema, path);
  try {
    await writer.appendRow({ n: 2n ** 53n + 1n });
    await writer.close();
  } catch (error) {
    return `fails: ${String(error)}`;
  }
  const read = await duck.runAndReadAll(`select n from read_parquet(${sqlText(path)})`);
  return `${String(read.getRows()[0]?.[0])} instead of ${String(2n ** 53n + 1n)}`;
}
