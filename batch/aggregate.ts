import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { LakeFile } from '../core/lake-file.js';
import { CLICK_COLUMNS } from '../lake/columns.js';
import { sha256OfFile } from '../lake/verify.js';
import { countHour } from './duckdb/count-hour.js';
import { withCheckedFiles } from './duckdb/footer.js';
import { withFiles, withScratch } from './local-files.js';
import type { EngineContext, FetchedFile } from './local-files.js';
import { scratchKey } from './scratch.js';
import type { AggregateResult, AggregateTask } from './task.js';

/**
 * Runs one task: fetches and verifies its files, counts, and puts the cells into the lake's scratch.
 * Nothing of a file is decoded before its size, SHA-256, row count and columns are those of the
 * manifest.
 * @throws TruecountError `lake_file_missing`, `lake_file_damaged`, `lake_unavailable`,
 * `kernel_failed`
 */
export async function aggregateTask(
  task: AggregateTask,
  context: EngineContext,
): Promise<AggregateResult> {
  return withScratch(context.scratchDir, (dir) =>
    withFiles(task.files, context, async (files) => {
      const output = join(dir, 'cells.parquet');
      const { flow, cells } = await count(task, files, output, dir, context);
      const key = scratchKey(task.run ?? 'nobody', context.nowMs());
      const { size: bytes } = await stat(output);
      const sha256 = await sha256OfFile(output);
      await context.lake.put(key, output);
      return { cells: { key, bytes, sha256, rows: cells }, flow, rowsRead: rowsOf(task) };
    }),
  );
}

function rowsOf({ files }: AggregateTask): number {
  return files.reduce((sum, file) => sum + file.rows, 0);
}

function count(
  task: AggregateTask,
  files: readonly FetchedFile<LakeFile>[],
  output: string,
  scratchDir: string,
  { limits, onProgress }: EngineContext,
): ReturnType<typeof countHour> {
  const { hourMs, cut, ruleSet } = task;
  const paths = files.map(({ path }) => path);
  const input = { paths, rows: rowsOf(task), hourMs, cut, ruleSet };
  return withCheckedFiles(
    { files, columns: CLICK_COLUMNS, limits, scratchDir, rowsMax: limits.rowsPerFileMax },
    (session) => countHour(session, input, output, onProgress),
  );
}
