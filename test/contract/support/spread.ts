import fc from 'fast-check';
import type { LogRecord } from '../../../core/count.js';
import type { LakeFile } from '../../../core/lake-file.js';
import { Random } from '../../core/support/random.js';

/** How the log is spread over files, and the files over tasks. */
export interface Spread {
  readonly name: string;
  readonly buckets: number;
  readonly tasksMax: number;
  /** The commits of the archive: each writes files of its own. */
  readonly split: (log: readonly LogRecord[]) => readonly (readonly LogRecord[])[];
  /** The order in which the manifest gives the files. */
  readonly order?: (files: readonly LakeFile[]) => readonly LakeFile[];
}

export const ONE_TASK: Spread = {
  name: 'batch, one task, one file',
  buckets: 1,
  tasksMax: 1,
  split: (log) => [log],
};

export const MANY_TASKS: Spread = {
  name: 'batch, four tasks, many files',
  buckets: 4,
  tasksMax: 4,
  split: (log) => [0, 1, 2].map((n) => log.filter((_, i) => i % 3 === n)),
  order: (files) => [...files].reverse(),
};

/** Files of so many commits, each of so many buckets, listed in a random order, for so many tasks. */
export function spreadBy(buckets: number, tasksMax: number, commits: number, seed: number): Spread {
  return {
    name: `batch, ${String(buckets)} buckets of ${String(commits)} commits, ${String(tasksMax)} tasks`,
    buckets,
    tasksMax,
    split: (log) => {
      const random = new Random(seed);
      const parts = Array.from({ length: commits }, (): LogRecord[] => []);
      for (const record of log) random.pick(parts).push(record);
      return parts;
    },
    order: (files) => {
      const random = new Random(seed + 1);
      const placed = files.map((file) => ({ file, at: random.next() }));
      return placed.sort((a, b) => a.at - b.at).map(({ file }) => file);
    },
  };
}

export const anySpread: fc.Arbitrary<Spread> = fc
  .tuple(
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 1, max: 4 }),
    fc.integer(),
  )
  .map((numbers) => spreadBy(...numbers));

/** Most of them a single file: each file, and each task, takes its time. */
export const fewFiles: fc.Arbitrary<Spread> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(ONE_TASK) },
  { weight: 2, arbitrary: fc.integer().map((seed) => spreadBy(1, 1, 2, seed)) },
  { weight: 1, arbitrary: anySpread },
);
