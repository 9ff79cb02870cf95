import type { Cut } from '../core/cut.js';
import type { LakeFile } from '../core/lake-file.js';
import type { RuleSet } from '../core/rules/rule-set.js';
import type { AggregateTask } from './task.js';

export interface PlanOptions {
  /** Tasks of one recompute at most; default 64. */
  readonly tasksMax?: number;
  /** A task starts a process: with fewer rows than this another one costs more than it saves. */
  readonly rowsPerTaskMin: number;
}

const TASKS_MAX = 64;

/** What is to be recomputed: all files that hold clicks of the hour below the cut. */
export interface RecomputeInputs {
  readonly hourMs: number;
  readonly files: readonly LakeFile[];
  readonly cut: Cut;
  readonly ruleSet: RuleSet;
}

/**
 * Splits a recompute into tasks, so that all clicks of an ad are in one task. Files of different
 * numbers of buckets mix: `hash mod buckets` says what `hash mod tasks` is where tasks divides
 * buckets, so the number of tasks is a common divisor of all of them. A file that several hours
 * share has one bucket: then there is one task. No files, no task.
 */
export function planTasks(
  inputs: RecomputeInputs,
  { tasksMax = TASKS_MAX, rowsPerTaskMin }: PlanOptions,
): AggregateTask[] {
  const { files, hourMs, cut, ruleSet } = inputs;
  if (files.length === 0) return [];
  const rows = files.reduce((sum, file) => sum + file.rows, 0);
  const most = Math.max(1, Math.min(tasksMax, Math.floor(rows / rowsPerTaskMin)));
  const tasks = divisorUpTo(files.map(({ buckets }) => buckets).reduce(commonDivisor), most);
  const byTask = Array.from({ length: tasks }, (): LakeFile[] => []);
  for (const file of [...files].sort((a, b) => a.id - b.id)) {
    byTask[file.bucket % tasks]!.push(file);
  }
  return byTask
    .filter((ofTask) => ofTask.length > 0)
    .map((ofTask) => ({ hourMs, files: ofTask, cut, ruleSet }));
}

/** The greatest common divisor (Euclid). */
function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/** The greatest divisor of `n` that is not above `most`. */
function divisorUpTo(n: number, most: number): number {
  for (let divisor = Math.min(n, most); divisor > 1; divisor--) {
    if (n % divisor === 0) return divisor;
  }
  return 1;
}
