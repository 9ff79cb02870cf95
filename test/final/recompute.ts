import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { aggregateTask } from '../../batch/aggregate.js';
import { addFlows } from '../../batch/flow.js';
import type { EngineContext } from '../../batch/local-files.js';
import { mergeCells } from '../../batch/merge-cells.js';
import { planTasks } from '../../batch/plan-tasks.js';
import type { AggregateResult } from '../../batch/task.js';
import type { Cut } from '../../core/cut.js';
import type { LoadedGeneration } from '../../core/generation-draft.js';
import { hashRuleSet, type RuleSet } from '../../core/rules/rule-set.js';
import type { LakeStore } from '../../lake/store.js';
import { loadGeneration } from '../../store/generations/load.js';
import { filesOfHour } from '../../store/lake/manifest.js';

/** Recomputes an hour in this process, as the activities do it one after the other. */
export async function recomputeHour(
  client: pg.Client,
  lake: LakeStore,
  { hourMs, cut, ruleSet }: { hourMs: number; cut: Cut; ruleSet: RuleSet },
  rowsPerTaskMin = 250_000,
): Promise<LoadedGeneration & { readonly tasks: number }> {
  const scratchDir = await mkdtemp(join(tmpdir(), 'truecount-final-'));
  const context: EngineContext = {
    lake,
    limits: { memoryMb: 512, threads: 1, rowsPerFileMax: 10_000_000 },
    scratchDir,
    nowMs: Date.now,
    onProgress: () => undefined,
  };
  try {
    const files = await filesOfHour(client, hourMs, cut);
    const results: AggregateResult[] = [];
    for (const task of planTasks({ hourMs, files, cut, ruleSet }, { rowsPerTaskMin })) {
      results.push(await aggregateTask(task, context));
    }
    const draft = {
      inputs: { hourMs, ruleSet: hashRuleSet(ruleSet), cut },
      ruleSet,
      flow: addFlows(results.map(({ flow }) => flow)),
      fileIds: files.map(({ id }) => id),
      builtBy: 'test',
    };
    const cells = results.map((result) => result.cells);
    const loaded = await mergeCells(cells, context, (rows) => loadGeneration(client, draft, rows));
    return { ...loaded, tasks: cells.length };
  } finally {
    await rm(scratchDir, { recursive: true });
  }
}
