import type { GenerationDraft, LoadedGeneration } from '../core/generation-draft.js';
import type { AggregateResult, AggregateTask, CellsFile, TaskProgress } from './task.js';

export interface RunOptions {
  /** Aborted: the task is killed and its promise rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** Called now and then while the task runs, and at the start of each stage. */
  onProgress(progress: TaskProgress): void;
}

/** Runs the heavy steps of a recompute somewhere else than in the caller's event loop. */
export interface TaskRunner {
  /**
   * Counts one task's clicks and leaves the cells as a scratch object of the lake.
   * @throws TruecountError `lake_file_missing`, `lake_file_damaged` (both name the file),
   * `lake_unavailable`, `kernel_failed` (the process that ran it died, or its engine failed)
   */
  aggregate(task: AggregateTask, options: RunOptions): Promise<AggregateResult>;
  /**
   * Merges the cells of all tasks of a recompute and loads them as one generation, in one
   * transaction. The scratch objects stay: the caller removes them when it is done with them.
   * @throws TruecountError as `aggregate`, and `validation_failed`, `dependency_unreachable`
   */
  load(
    draft: GenerationDraft,
    cells: readonly CellsFile[],
    options: RunOptions,
  ): Promise<LoadedGeneration>;
}
