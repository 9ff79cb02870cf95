import type { Client } from '@temporalio/client';
import type { TimeRange } from '../../core/range.js';
import { storeRuleSet } from '../../store/rule-sets.js';
import type { Progress } from '../output.js';
import { fixedRules } from './rules.js';
import { line, number, plural, seconds } from './say.js';
import { readLake, readPlannedChange, wholeRange } from './served.js';
import type { MovedCell } from './served.js';
import type { Fix } from './sql-truth.js';
import type { Stage } from './stage.js';
import { replayToApproval } from './workflows.js';

export interface Replayed {
  readonly range: TimeRange;
  /** The cell that the fix changed most. */
  readonly cell: MovedCell | undefined;
}

/** Replays all hours under the fixed rule set: plan, diff, approval, publication. */
export async function replayFix(
  stage: Stage,
  client: Client,
  fix: Fix,
  progress: Progress,
): Promise<Replayed> {
  const startMs = performance.now();
  const { hash } = await storeRuleSet(stage.pool, fixedRules(fix));
  const range = await wholeRange(stage.pool);
  const { files, bytes } = await readLake(stage.pool);
  line(
    'fix',
    `${fix.dimension} ${fix.from} should count as ${fix.to}: a new rule set, and a replay`,
  );
  line('', `plan: ${plural(files, 'file')}, ${(bytes / 1e6).toFixed(1)} MB to read`);
  const waiting = await replayToApproval(stage, client, range, hash, (now) => {
    progress.update(
      `${now.stage}: ${number(now.hoursDone)} of ${plural(now.hoursTotal, 'hour')} recomputed`,
    );
  });
  progress.done();
  const { dimension, from, to } = fix;
  const filters = [`${dimension}:${from}`, `${dimension}:${to}`];
  const { cells, causes, most } = await readPlannedChange(stage.pool, filters);
  line('', `diff: ${plural(cells, 'cell')} would change, because of ${causes.join(', ')}:`);
  for (const cell of most) line('', `  ${described(cell)}`);
  const { publication, published } = await waiting.approve();
  line(
    '',
    `approved (${waiting.hash.slice(0, 12)}), published: ${plural(published, 'hour')} at once,`,
  );
  line('', `publication ${number(publication ?? 0)}, ${seconds(startMs)}`);
  return { range, cell: most.find(({ filter }) => filter === `${dimension}:${to}`) ?? most[0] };
}

function described({ adId, minuteMs, filter, before, after }: MovedCell): string {
  const at = new Date(minuteMs).toISOString().slice(0, 16);
  return `ad ${adId} at ${at}Z, ${filter}: ${number(before)} → ${number(after)}`;
}
