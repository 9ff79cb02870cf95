import { TruecountError } from '../../core/errors.js';
import type { EngineLimits } from '../task.js';
import { DuckSession, sqlText, toNumber } from './session.js';

/** A file that is listed somewhere, and where its verified bytes are. */
export interface LocalFile {
  readonly file: { readonly key: string; readonly rows: number };
  readonly path: string;
}

export interface CheckedFilesOptions {
  readonly files: readonly LocalFile[];
  readonly columns: Columns;
  readonly limits: Pick<EngineLimits, 'memoryMb' | 'threads'>;
  readonly scratchDir: string;
  /** Rows of one file at most. */
  readonly rowsMax: number;
}

type Columns = readonly (readonly [name: string, type: string])[];

/**
 * Calls `use` with a session that can read these files and no others, once their footers are as
 * listed.
 * @throws TruecountError `lake_file_damaged`, which names the file, and `kernel_failed`
 */
export async function withCheckedFiles<T>(
  { files, columns, limits, scratchDir, rowsMax }: CheckedFilesOptions,
  use: (session: DuckSession) => Promise<T>,
): Promise<T> {
  const { memoryMb, threads } = limits;
  const readPaths = files.map(({ path }) => path);
  const session = await DuckSession.open({ memoryMb, threads, readPaths, scratchDir });
  try {
    for (const file of files) await checkFooter(session, file, columns, rowsMax);
    return await use(session);
  } catch (error) {
    throw namingFile(error, files);
  } finally {
    session.close();
  }
}

/**
 * Looks at a file's footer before anything of it is decoded: as many rows as the manifest says and
 * no more than the cap, and exactly the columns wanted, in order, with their types. Its bytes are
 * those of the manifest (size and SHA-256) by then; this is for a manifest that lists the wrong
 * bytes, and for files that are small and say they are huge.
 * @throws TruecountError `lake_file_damaged`, which names the file and what differs
 */
export async function checkFooter(
  session: DuckSession,
  { file, path }: LocalFile,
  columns: Columns,
  rowsMax: number,
): Promise<void> {
  if (file.rows > rowsMax) {
    throw damaged(file.key, `it has ${String(file.rows)} rows, the cap is ${String(rowsMax)}`);
  }
  const { rows, inGroups, described } = await readFooter(session, file.key, path);
  if (rows !== file.rows) {
    throw damaged(file.key, `it says ${String(rows)} rows, the manifest ${String(file.rows)}`);
  }
  if (inGroups !== rows) {
    const groups = `its row groups say ${String(inGroups)}`;
    throw damaged(file.key, `its footer says ${String(rows)} rows, ${groups}`);
  }
  const difference = columnDifference(described, columns);
  if (difference !== null) throw damaged(file.key, difference);
}

async function readFooter(session: DuckSession, key: string, path: string) {
  const literal = sqlText(path);
  try {
    const [footer] = await session.rows<{ rows: bigint; in_groups: bigint }>(
      `select (select num_rows from parquet_file_metadata(${literal})) as rows,
              (select coalesce(sum(n), 0)::bigint
                 from (select distinct row_group_id, row_group_num_rows as n
                         from parquet_metadata(${literal}))) as in_groups`,
    );
    const described = await session.rows<{ column_name: string; column_type: string }>(
      `describe select * from read_parquet(${literal})`,
    );
    return {
      rows: toNumber(footer!.rows),
      inGroups: toNumber(footer!.in_groups),
      described: described.map((c) => [c.column_name, c.column_type] as const),
    };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw damaged(key, `its footer cannot be read: ${why.split('\n')[0] ?? ''}`, cause);
  }
}

function columnDifference(found: Columns, wanted: Columns): string | null {
  for (let i = 0; i < Math.max(found.length, wanted.length); i++) {
    const [name, type] = found[i] ?? ['nothing', ''];
    const [wantedName, wantedType] = wanted[i] ?? ['nothing', ''];
    if (name !== wantedName || type !== wantedType) {
      const what = `${name} ${type}`.trim();
      return `column ${String(i + 1)} is ${what} instead of ${`${wantedName} ${wantedType}`.trim()}`;
    }
  }
  return null;
}

/** The engine names a file that it cannot decode by its path: here it gets its name in the lake. */
function namingFile(error: unknown, files: readonly LocalFile[]): unknown {
  if (!(error instanceof TruecountError) || error.code !== 'kernel_failed') return error;
  const file = files.find(({ path }) => error.message.includes(path));
  return file === undefined ? error : damaged(file.file.key, error.message, error);
}

function damaged(key: string, what: string, cause?: unknown): TruecountError {
  return new TruecountError('lake_file_damaged', `${key}: ${what}`, {
    hint: 'restore the object from a copy, or archive its offsets again while Kafka has them',
    context: { key },
    cause,
  });
}
