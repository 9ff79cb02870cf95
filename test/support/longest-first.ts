import { relative } from 'node:path';
import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';

/** Files that take a minute and more, the longest first. */
export const LONGEST: readonly string[] = [
  'test/contract/statements.test.ts',
  'test/contract/contract.test.ts',
  'test/faults/archive.int.test.ts',
  'test/faults/worker.int.test.ts',
  'test/rules/three-days.int.test.ts',
  'test/workflows/recompute.int.test.ts',
  'test/final/talkingdata.int.test.ts',
  'test/faults/servers.int.test.ts',
  'test/faults/final.int.test.ts',
  'test/demo/demo.int.test.ts',
  'test/runtime/up.int.test.ts',
  'test/contract/any-way.test.ts',
  'test/contract/random.test.ts',
  'test/cli/program.test.ts',
  'test/stream/archive.int.test.ts',
  'test/workflows/schedule.int.test.ts',
];

/**
 * Starts the longest files first. A fresh clone has no durations of an earlier run, and then the
 * usual order is by size of file: the run ended with one long file, and nothing beside it.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.indexOf(relative(this.ctx.config.root, moduleId));
      return at < 0 ? LONGEST.length : at;
    };
    const usual = await super.sort(files);
    return usual.toSorted((a, b) => rank(a) - rank(b));
  }
}
