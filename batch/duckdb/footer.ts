import { TruecountError } from '../../core/errors.js';
import { RESTORE_HINT } from '../../core/lake-file.js';
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
  const options = { memoryMb, threads, readPaths, scratchDir };
  try {
    return await DuckSession.with(options, async (session) => {
      for (const file of files) await checkFooter(session, file, columns, rowsMax);
      return use(session);
    });
  } catch (error) {
    if (!(error instanceof TruecountError) || error.code !== 'kernel_failed') throw error;
    // Most errors of a decoder do not say in which file it was.
    for (const file of files) await DuckSession.with(options, (session) => decode(session, file));
    throw error;
  }
}

/** @throws TruecountError `lake_file_damaged` if the file cannot be decoded */
async function decode(session: DuckSession, { file, path }: LocalFile): Promise<void> {
  try {
    await session.run(
      `select max(columns(*)) from read_parquet(${sqlText(path)}, hive_partitioning = false)`,
    );
  } catch (error) {
    throw damaged(file.key, error instanceof Error ? error.message : String(error), error);
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
  if (columns.some(([name]) => name === 'log_offset')) await checkPositions(session, file, path);
}

/**
 * Every click has a position of its own: a row group cannot have more rows than its offsets and
 * partitions, by their least and greatest, make positions. Columns of one repeated value take no
 * room, so that a footer can promise any number of rows, and the decoder makes them up.
 */
async function checkPositions(
  session: DuckSession,
  file: LocalFile['file'],
  path: string,
): Promise<void> {
  const span = (column: string): string =>
    `max(try_cast(stats_max_value as bigint) - try_cast(stats_min_value as bigint) + 1)
       filter (path_in_schema = '${column}')`;
  const crowded = await session.rows<{ rows: bigint; positions: bigint | null }>(
    `select any_value(row_group_num_rows) as rows,
            ${span('log_offset')} * ${span('partition')} as positions
       from parquet_metadata(${sqlText(path)}) group by row_group_id
     having coalesce(bool_and(stats_min_value = stats_max_value)
                       filter (path_in_schema = 'topic'), true)
        and coalesce(rows > positions, true) limit 1`,
  );
  const [group] = crowded;
  if (group === undefined) return;
  const positions = group.positions === null ? 'unknown' : String(group.positions);
  const what = `a row group says ${String(group.rows)} rows at ${positions} positions of the log`;
  throw damaged(file.key, what);
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
      `describe select * from read_parquet(${literal}, hive_partitioning = false)`,
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

function damaged(key: string, what: string, cause?: unknown): TruecountError {
  return new TruecountError('lake_file_damaged', `${key}: ${what}`, {
    hint: RESTORE_HINT,
    context: { key },
    cause,
  });
}
