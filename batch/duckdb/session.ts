import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBConnection, DuckDBDataChunk, DuckDBValue } from '@duckdb/node-api';
import { TruecountError } from '../../core/errors.js';

export interface SessionOptions {
  readonly memoryMb: number;
  readonly threads: number;
  /** The only files that may be read. */
  readonly readPaths: readonly string[];
  /** A folder of this session alone: what it writes and what it spills. */
  readonly scratchDir: string;
}

type Row = Readonly<Record<string, DuckDBValue>>;

/**
 * A DuckDB in memory with one connection and one statement at a time: statements side by side on one
 * connection have ended whole processes (duckdb-node-neo #141, #235). It reads the given files and
 * writes below its scratch folder, loads no extension, and spills what does not fit.
 */
export class DuckSession {
  private constructor(
    private readonly instance: DuckDBInstance,
    private connection: DuckDBConnection,
  ) {}

  static async open(options: SessionOptions): Promise<DuckSession> {
    const { memoryMb, threads, readPaths, scratchDir } = options;
    const instance = await DuckDBInstance.create(':memory:', {
      memory_limit: `${String(memoryMb)}MiB`,
      threads: String(threads),
      temp_directory: scratchDir,
      preserve_insertion_order: 'false',
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      allow_community_extensions: 'false',
    });
    const session = new DuckSession(instance, await instance.connect());
    await session.run(`set allowed_paths = ${textList(readPaths)}`);
    await session.run(`set allowed_directories = ${textList([scratchDir])}`);
    // Several statements read a file, and it does not change.
    await session.run('set parquet_metadata_cache = true');
    await session.run('set enable_external_access = false');
    await session.run('set lock_configuration = true');
    return session;
  }

  /** Opens a session for one use. */
  static async with<T>(
    options: SessionOptions,
    use: (session: DuckSession) => Promise<T>,
  ): Promise<T> {
    const session = await DuckSession.open(options);
    try {
      return await use(session);
    } finally {
      session.close();
    }
  }

  /** Runs one statement; its rows are kept in memory. */
  async rows<T extends Row>(sql: string, values?: DuckDBValue[]): Promise<T[]> {
    try {
      const reader = await this.connection.runAndReadAll(sql, values);
      return reader.getRowObjects() as unknown as T[];
    } catch (error) {
      throw engineError(error);
    }
  }

  /** Runs one statement whose rows, if it has any, nobody wants. */
  async run(sql: string): Promise<void> {
    try {
      await this.connection.run(sql);
    } catch (error) {
      throw engineError(error);
    }
  }

  /** The result chunk by chunk, in constant memory; read it to its end before the next statement. */
  async *chunks(sql: string): AsyncGenerator<DuckDBDataChunk> {
    try {
      const result = await this.connection.stream(sql);
      for (;;) {
        const chunk = await result.fetchChunk();
        if (chunk === null || chunk.rowCount === 0) return;
        yield chunk;
      }
    } catch (error) {
      throw engineError(error);
    }
  }

  /** Appends rows to a table, column by column in its order. */
  async append(table: string, rows: Iterable<readonly (string | bigint | null)[]>): Promise<void> {
    const appender = await this.connection.createAppender(table);
    for (const row of rows) {
      for (const value of row) {
        if (value === null) appender.appendNull();
        else if (typeof value === 'string') appender.appendVarchar(value);
        else appender.appendUBigInt(value);
      }
      appender.endRow();
    }
    appender.closeSync();
  }

  /** Forgets all temporary tables, in less time than they take to be dropped. */
  async forget(): Promise<void> {
    this.connection.closeSync();
    this.connection = await this.instance.connect();
  }

  close(): void {
    this.connection.closeSync();
    this.instance.closeSync();
  }
}

/** A string literal. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A list of strings, as it is written in SQL. */
export function textList(texts: readonly string[]): string {
  return `[${texts.map(sqlText).join(', ')}]::varchar[]`;
}

/** The one place where the engine's integers become numbers. Exact below 2^53, and refused above. */
export function toNumber(value: unknown): number {
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number === 'number' && Number.isSafeInteger(number)) return number;
  throw new TruecountError('kernel_failed', `the engine gave ${String(value)} for a whole number`);
}

function engineError(cause: unknown): TruecountError {
  if (cause instanceof TruecountError) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  const full = /out of memory|failed to allocate|max_temp_directory_size/i.test(why);
  return new TruecountError('kernel_failed', `the batch engine failed: ${why}`, {
    ...(full ? { hint: 'raise batch.memoryMb, or make room where the lake spills' } : {}),
    cause,
  });
}
