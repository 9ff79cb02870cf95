import type { CellRow } from '../core/generation-draft.js';
import { CELL_COLUMNS } from '../lake/columns.js';
import { withCheckedFiles } from './duckdb/footer.js';
import { readCells } from './duckdb/read-cells.js';
import { withFiles, withScratch } from './local-files.js';
import type { EngineContext } from './local-files.js';
import type { CellsFile } from './task.js';

/**
 * The cells of all tasks of a recompute as the rows of its generation, by filter, then ad_id, both
 * bytewise. `use` gets them once the files are verified and sorted, so that whoever consumes them
 * does not wait with a transaction open; it has to read them within its call.
 * @throws TruecountError `lake_file_missing`, `lake_file_damaged`, `lake_unavailable`,
 * `kernel_failed`; the last may also come from the rows
 */
export async function mergeCells<T>(
  cells: readonly CellsFile[],
  context: EngineContext,
  use: (rows: AsyncIterable<CellRow>) => Promise<T>,
): Promise<T> {
  // A file without cells is a task without clicks.
  const objects = cells.filter(({ rows }) => rows > 0);
  if (objects.length === 0) return use(startedWith([]));
  const { limits, scratchDir: parent } = context;
  return withScratch(parent, (scratchDir) =>
    withFiles(objects, context, (files) =>
      withCheckedFiles(
        { files, columns: CELL_COLUMNS, limits, scratchDir, rowsMax: Infinity },
        async (session) => {
          const total = objects.reduce((sum, { rows }) => sum + rows, 0);
          context.onProgress({ stage: 'sort cells', done: 0, total });
          const rows = readCells(
            session,
            files.map(({ path }) => path),
          );
          const first = await rows.next();
          context.onProgress({ stage: 'load cells', done: 0, total });
          return use(startedWith(first.done === true ? [] : [first.value], rows));
        },
      ),
    ),
  );
}

async function* startedWith<T>(first: readonly T[], rest?: AsyncIterable<T>): AsyncGenerator<T> {
  yield* first;
  if (rest !== undefined) yield* rest;
}
