import type { Cut } from '../core/cut.js';
import type { HourFlow } from '../core/generation-draft.js';
import type { LakeFile } from '../core/lake-file.js';
import type { RuleSet } from '../core/rules/rule-set.js';

/** Limits of one task's engine. */
export interface EngineLimits {
  readonly memoryMb: number;
  readonly threads: number;
  /** A lake file with more rows is refused before it is decoded. */
  readonly rowsPerFileMax: number;
}

/**
 * One task of a recompute: the clicks of one event hour in some files, counted under one rule set.
 * The files of one task hold all clicks of their ads: no ad is in two tasks of a recompute.
 */
export interface AggregateTask {
  /**
   * The run whose scratch the cells are, and which removes them; letters, digits and hyphens. Left
   * out: the sweep removes them in its time.
   */
  readonly run?: string;
  readonly hourMs: number;
  readonly files: readonly LakeFile[];
  readonly cut: Cut;
  readonly ruleSet: RuleSet;
}

/** What became of the clicks of one task, in the terms of the generation that it is a part of. */
export type Flow = HourFlow;

/** A file of cells in the lake's scratch, sorted by filter, ad_id (bytewise), minute. */
export interface CellsFile {
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Cells. */
  readonly rows: number;
}

export interface AggregateResult {
  readonly cells: CellsFile;
  readonly flow: Flow;
  /** Rows read from the files, before the cut and the hour are applied. */
  readonly rowsRead: number;
}

/** What a running task tells: `done` of `total` of whatever the stage counts. */
export interface TaskProgress {
  readonly stage: string;
  readonly done: number;
  readonly total: number;
}
