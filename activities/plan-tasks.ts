import { planTasks } from '../batch/plan-tasks.js';
import { TruecountError } from '../core/errors.js';
import type { LakeFile } from '../core/lake-file.js';
import { filesOfHour } from '../store/lake/manifest.js';
import { loadRuleSets } from '../store/rule-sets.js';
import type { Activities, ResolvedInputs } from '../workflows/activity-contract.js';
import { hourMsOf } from '../workflows/input.js';
import type pg from 'pg';
import type { ActivityDeps } from './deps.js';

/** The tasks of a recompute. What is handed on are numbers of files: the manifest has the rest. */
export function planTasksActivity({ session, batch }: ActivityDeps): Activities['planTasks'] {
  return (inputs) =>
    session(async (client) => {
      const hourMs = hourMsOf(inputs.hour);
      const files = await filesOfHour(client, hourMs, inputs.cut);
      const ruleSet = await ruleSetOf(client, inputs);
      const tasks = planTasks({ hourMs, files, cut: inputs.cut, ruleSet }, batch);
      return {
        tasks: tasks.map((task) => ({
          fileIds: task.files.map(({ id }) => id),
          rows: task.files.reduce((sum, { rows }) => sum + rows, 0),
          bytes: task.files.reduce((sum, { bytes }) => sum + bytes, 0),
        })),
      };
    });
}

/** The rule set of a recompute. Throws not_found. */
export async function ruleSetOf(
  client: pg.ClientBase,
  { ruleSet }: ResolvedInputs,
): Promise<Awaited<ReturnType<typeof loadRuleSets>>[number]['ruleSet']> {
  const [stored] = await loadRuleSets(client, [ruleSet]);
  return stored!.ruleSet;
}

/** Those files of an hour. Throws invariant_broken if the manifest has lost one since the plan. */
export async function filesOf(
  client: pg.ClientBase,
  { hour, cut }: ResolvedInputs,
  ids: readonly number[],
): Promise<LakeFile[]> {
  const wanted = new Set(ids);
  const files = (await filesOfHour(client, hourMsOf(hour), cut)).filter(({ id }) => wanted.has(id));
  if (files.length === wanted.size) return files;
  throw new TruecountError(
    'invariant_broken',
    `${hour}: the manifest has ${String(files.length)} of ${String(wanted.size)} planned files`,
    { hint: 'rows of the manifest are never removed; run `truecount audit`' },
  );
}
