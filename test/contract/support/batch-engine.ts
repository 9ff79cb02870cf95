import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { aggregateTask } from '../../../batch/aggregate.js';
import { addFlows } from '../../../batch/flow.js';
import type { EngineContext } from '../../../batch/local-files.js';
import { mergeCells } from '../../../batch/merge-cells.js';
import { planTasks } from '../../../batch/plan-tasks.js';
import type { RecomputeInputs } from '../../../batch/plan-tasks.js';
import type { LakeFile } from '../../../core/lake-file.js';
import type { TestLake } from '../../support/lake-files.js';
import { cellName } from './engine.js';
import type { Answer, Engine } from './engine.js';
import type { Spread } from './spread.js';

/** The batch engine on files of a lake, in this process. */
export function batchEngine(test: TestLake, spread: Spread): Engine {
  return {
    name: spread.name,
    count: async ({ log, hourMs, ruleSet, cut }) => {
      const files: LakeFile[] = [];
      for (const commit of spread.split(log)) {
        if (commit.length > 0) files.push(...(await test.write(commit, spread.buckets)));
      }
      const order = spread.order ?? ((all) => all);
      const inputs = { hourMs, ruleSet, cut, files: order(files) };
      try {
        return await recompute(test, inputs, spread.tasksMax);
      } finally {
        for (const { key } of files) await test.lake.remove(key);
      }
    },
  };
}

/** A whole recompute: the tasks, then the merge of their cells. */
export async function recompute(
  test: Pick<TestLake, 'lake' | 'folder'>,
  inputs: RecomputeInputs,
  tasksMax: number,
): Promise<Answer> {
  const context = await engineContext(test);
  const tasks = planTasks(inputs, { tasksMax, rowsPerTaskMin: 1 });
  const results = [];
  for (const task of tasks) results.push(await aggregateTask(task, context));
  const files = results.map((result) => result.cells);
  const cells = new Map<string, number>();
  await mergeCells(files, context, async (rows) => {
    let last = [Buffer.alloc(0), Buffer.alloc(0)] as const;
    for await (const { filter, adId, counts } of rows) {
      const row = [Buffer.from(filter), Buffer.from(adId)] as const;
      const order = Buffer.compare(last[0], row[0]) || Buffer.compare(last[1], row[1]);
      if (order >= 0) throw new Error(`${filter} ${adId} does not come after the row before`);
      last = row;
      counts.forEach((count, minute) => {
        if (count !== 0) cells.set(cellName(filter, adId, minute), count);
      });
    }
  });
  for (const { key } of files) await test.lake.remove(key);
  return { cells, flow: addFlows(results.map((result) => result.flow)) };
}

/** What the engine runs with in tests. */
export async function engineContext(
  { lake, folder }: Pick<TestLake, 'lake' | 'folder'>,
  limits: Partial<EngineContext['limits']> = {},
): Promise<EngineContext> {
  const scratchDir = join(folder, 'scratch');
  await mkdir(scratchDir, { recursive: true });
  return {
    lake,
    limits: { memoryMb: 128, threads: 1, rowsPerFileMax: 1_000_000, ...limits },
    scratchDir,
    nowMs: Date.now,
    onProgress: () => undefined,
  };
}
