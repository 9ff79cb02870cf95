import { join } from 'node:path';
import { DOUBLE, DuckDBDataChunk, DuckDBInstance, INTEGER, VARCHAR } from '@duckdb/node-api';
import type { DuckDBAppender, DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { FIELD_COLUMNS } from '../core/click/shred.js';
import type { ShreddedClick } from '../core/click/shred.js';
import { TruecountError } from '../core/errors.js';
import { bucketOf } from '../core/lake-file.js';
import { HOUR_MS, MINUTE_MS, MINUTES_PER_HOUR } from '../core/time.js';
import { CLICK_COLUMNS } from './columns.js';

/** DuckDB's own vector size. */
const CHUNK_ROWS = 2_048;
/** What a row takes in the buffer besides its text: fixed columns and string headers. */
const ROW_BYTES = 176;
const MIB = 1024 * 1024;
/** Longer text is copied by every step of a write at once, not page by page: it counts so many times. */
const LONG_TEXT_CHARS = 4 * 1024;
const LONG_TEXT_FACTOR = 4;
/** What waits outside the table, here and in the appender, cannot go to disk: at most so much each. */
const CHUNK_BYTES = 4 * MIB;
const APPENDER_BYTES = 8 * MIB;
/** Text in a row group at most, on average: the Parquet writer holds one in memory. */
const ROW_GROUP_BYTES = 16 * MIB;
/** DuckDB's default, and its step. */
const ROW_GROUP_ROWS = 122_880;

/** Whole numbers travel as DOUBLE, exact below 2^53: a BigInt per value costs more than the rest. */
const BUFFER_COLUMNS = [
  ['source', 'INTEGER'],
  ['bucket', 'INTEGER'],
  ['log_offset', 'DOUBLE'],
  ['append_ms', 'DOUBLE'],
  ['event_ms', 'DOUBLE'],
  ['ad_id', 'VARCHAR'],
  ['event_id', 'VARCHAR'],
  ...FIELD_COLUMNS.map((name) => [name, 'VARCHAR'] as const),
  ['rest', 'VARCHAR'],
] as const;
const TYPES = { INTEGER, DOUBLE, VARCHAR };

export interface ClickWriterOptions {
  /** For spilled pages and files being written; exists, and is nobody else's. */
  readonly folder: string;
  /** Files that an hour with many clicks is split into. */
  readonly buckets: number;
  /** Memory that DuckDB may use before it spills, in MiB. */
  readonly memoryMb: number;
}

/** Clicks in the buffer that share hour, bucket and source. */
export interface ClickGroup {
  readonly hourMs: number;
  readonly bucket: number;
  readonly source: number;
  readonly rows: number;
  readonly minEventMs: number;
  readonly maxEventMs: number;
}

/** Clicks per minute of one hour and source. */
export interface ClickMinutes {
  readonly hourMs: number;
  readonly source: number;
  /** 60 counts. */
  readonly received: Int32Array;
}

/** Which clicks of the buffer go into a file: of one hour and bucket, or of all hours but some. */
export type FileSelection = { readonly sources: readonly number[] } & (
  | { readonly onlyHourMs: number; readonly bucket: number }
  | { readonly exceptHoursMs: readonly number[] }
);

/**
 * Buffers clicks in a DuckDB of its own and writes them as Parquet files. Bounded: text goes to
 * disk where it passes the memory limit. One connection, one statement at a time.
 */
export class ClickWriter {
  /** About what the buffered clicks take. */
  bytes = 0;
  private readonly encoder = new TextEncoder();
  private readonly adBytes = new Uint8Array(4 * 1024);
  private readonly chunk = DuckDBDataChunk.create(
    BUFFER_COLUMNS.map(([, type]) => TYPES[type]),
    CHUNK_ROWS,
  );
  private readonly columns: DuckDBValue[][] = BUFFER_COLUMNS.map(() => []);
  private appender: DuckDBAppender | null = null;
  private rows = 0;
  private appendedBytes = 0;
  private flushedBytes = 0;
  private sources = 0;
  private files = 0;

  private constructor(
    private readonly instance: DuckDBInstance,
    private readonly connection: DuckDBConnection,
    private readonly options: ClickWriterOptions,
  ) {}

  static async open(options: ClickWriterOptions): Promise<ClickWriter> {
    const instance = await DuckDBInstance.create(':memory:', {
      threads: '1',
      memory_limit: `${String(options.memoryMb)}MiB`,
      temp_directory: join(options.folder, 'spill'),
    });
    const writer = new ClickWriter(instance, await instance.connect(), options);
    await writer.clear();
    return writer;
  }

  /** A number for the clicks of one partition that stand or fall together. */
  async addSource(topic: string, partition: number): Promise<number> {
    const source = ++this.sources;
    await this.connection.run('insert into sources values ($1, $2, $3)', [
      source,
      topic,
      partition,
    ]);
    return source;
  }

  add(source: number, offset: number, appendMs: number, click: ShreddedClick): void {
    const { columns } = this;
    const { adId, eventId, fields, rest } = click;
    const { written } = this.encoder.encodeInto(adId, this.adBytes);
    columns[0]!.push(source);
    columns[1]!.push(bucketOf(this.adBytes.subarray(0, written), this.options.buckets));
    columns[2]!.push(offset);
    columns[3]!.push(appendMs);
    columns[4]!.push(click.eventMs);
    columns[5]!.push(adId);
    columns[6]!.push(eventId);
    let chars = adId.length + eventId.length + (rest?.length ?? 0);
    for (let i = 0; i < FIELD_COLUMNS.length; i++) {
      const text = fields[i] ?? null;
      columns[7 + i]!.push(text);
      if (text !== null) chars += text.length;
    }
    columns[7 + FIELD_COLUMNS.length]!.push(rest);
    this.rows++;
    this.bytes += ROW_BYTES + (chars > LONG_TEXT_CHARS ? LONG_TEXT_FACTOR * chars : chars);
    const chunkIsFull = columns[0]!.length === CHUNK_ROWS;
    if (chunkIsFull || this.bytes - this.appendedBytes >= CHUNK_BYTES) this.append();
  }

  private append(): void {
    if (this.columns[0]!.length === 0) return;
    this.chunk.reset();
    this.chunk.setColumns(this.columns);
    this.appender!.appendDataChunk(this.chunk);
    for (const column of this.columns) column.length = 0;
    this.appendedBytes = this.bytes;
    if (this.bytes - this.flushedBytes < APPENDER_BYTES) return;
    this.appender!.flushSync();
    this.flushedBytes = this.bytes;
  }

  /** What is buffered of `sources`, by hour, bucket and source. */
  async groups(sources: readonly number[]): Promise<ClickGroup[]> {
    const rows = await this.numbers(
      `select hour, bucket, source, count(*)::double, min(event_ms), max(event_ms)
         from buffered where list_contains($1::integer[], source) group by all order by all`,
      sources,
    );
    return rows.map((row) => ({
      hourMs: row[0]!,
      bucket: row[1]!,
      source: row[2]!,
      rows: row[3]!,
      minEventMs: row[4]!,
      maxEventMs: row[5]!,
    }));
  }

  /** The same per event minute. */
  async minutes(sources: readonly number[]): Promise<ClickMinutes[]> {
    const rows = await this.numbers(
      `select hour, source, floor((event_ms - hour) / ${String(MINUTE_MS)}), count(*)::double
         from buffered where list_contains($1::integer[], source) group by all order by all`,
      sources,
    );
    const all: ClickMinutes[] = [];
    for (const [hourMs, source, minute, count] of rows as [number, number, number, number][]) {
      let last = all.at(-1);
      if (last?.hourMs !== hourMs || last.source !== source) {
        last = { hourMs, source, received: new Int32Array(MINUTES_PER_HOUR) };
        all.push(last);
      }
      last.received[minute] = count;
    }
    return all;
  }

  /**
   * Writes the selected clicks into a local Parquet file and returns its path. In log order within
   * an hour, which compresses best (docs/reference/lake.md) and lets readers skip row groups above
   * a cut.
   * @throws TruecountError `lake_unavailable` if the disk refuses
   */
  async write(selection: FileSelection): Promise<string> {
    this.flush();
    const path = join(this.options.folder, `${String(++this.files)}.parquet`);
    const columns = CLICK_COLUMNS.map(([name, type]) => `"${name}"::${type} as "${name}"`);
    const list = (values: readonly number[]): string => `[${values.map(String).join()}]`;
    const hours =
      'onlyHourMs' in selection
        ? `hour = ${String(selection.onlyHourMs)} and bucket = ${String(selection.bucket)}`
        : `not list_contains(${list(selection.exceptHoursMs)}::double[], hour)`;
    await guarded(() =>
      this.connection.run(
        `copy (select ${columns.join(', ')} from buffered join sources using (source)
            where list_contains(${list(selection.sources)}::integer[], source) and ${hours}
            order by hour, topic, partition, log_offset)
         to '${path.replaceAll("'", "''")}'
         (format parquet, compression zstd, parquet_version v2,
          row_group_size ${String(this.rowGroupRows())})`,
      ),
    );
    return path;
  }

  /** Forgets all clicks; sources stay. */
  async clear(): Promise<void> {
    for (const column of this.columns) column.length = 0;
    this.appender?.clear();
    this.appender?.closeSync();
    this.appender = null;
    const columns = BUFFER_COLUMNS.map(([name, type]) => `"${name}" ${type}`);
    await this.connection.run(`create or replace table clicks (${columns.join(', ')})`);
    await this.connection.run(
      `create or replace view buffered as
         select *, event_ms - event_ms % ${String(HOUR_MS)} as hour from clicks`,
    );
    await this.connection.run(
      'create table if not exists sources (source integer, topic varchar, partition integer)',
    );
    this.appender = await this.connection.createAppender('clicks');
    this.rows = this.bytes = this.appendedBytes = this.flushedBytes = 0;
  }

  close(): void {
    this.appender?.clear();
    this.appender?.closeSync();
    this.appender = null;
    this.connection.closeSync();
    this.instance.closeSync();
  }

  private flush(): void {
    this.append();
    this.appender!.flushSync();
    this.flushedBytes = this.bytes;
  }

  private rowGroupRows(): number {
    const rows = (ROW_GROUP_BYTES * this.rows) / Math.max(this.bytes, 1);
    const chunks = Math.max(1, Math.floor(rows / CHUNK_ROWS));
    return Math.min(ROW_GROUP_ROWS, chunks * CHUNK_ROWS);
  }

  private async numbers(sql: string, sources: readonly number[]): Promise<number[][]> {
    this.flush();
    return guarded(async () => {
      const list = sql.replace('$1', `[${sources.map(String).join()}]`);
      const reader = await this.connection.runAndReadAll(list);
      return reader.getRows().map((row) => row.map(Number));
    });
  }
}

/** MiB of memory for a buffer of so many bytes: the table, the sort, and a row group of long text. */
export function writerMemoryMb(bufferBytes: number): number {
  return 64 + Math.ceil((3 * bufferBytes) / MIB);
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!/^IO Error/.test(message)) throw error;
    throw new TruecountError('lake_unavailable', `clicks could not be written: ${message}`, {
      hint: 'is the disk full?',
      cause: error,
    });
  }
}
