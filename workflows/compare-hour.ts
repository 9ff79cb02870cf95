import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ParentClosePolicy, sleep, startChild, workflowInfo } from '@temporalio/workflow';
import type { ChildWorkflowHandle } from '@temporalio/workflow';
import { PAUSE_SIGNAL } from './contract.js';
import type { RecomputeHourInput, RecomputeHourResult } from './contract.js';
import { comparedHour } from './decide.js';
import type { ComparedHour } from './decide.js';
import { refuse } from './failures.js';
import { long } from './proxies.js';
import { recomputeHour } from './recompute-hour.js';
import type { Run } from './run.js';
import { recomputeHourStart } from './start-options.js';

type Recompute = ChildWorkflowHandle<typeof recomputeHour>;

/** How often an hour is taken up again because somebody published it meanwhile. */
const ATTEMPTS = 3;

/**
 * Recomputes an hour in a child workflow, then compares it: one hour of a replay or settlement. Both
 * belong to one revision, that by which it was decided what to compute: where somebody published in
 * between, perhaps by other rules, it begins anew, else it would put the old meaning back.
 * @param turnMs how long it waits for its turn where somebody else recomputes the hour
 */
export async function compareHour(
  run: Run,
  input: RecomputeHourInput,
  turnMs = Infinity,
): Promise<ComparedHour> {
  for (let attempt = 1; ; attempt++) {
    const recomputed = await recompute(run, { ...input, reuse: true }, turnMs);
    run.did({ rows: recomputed.rowsRead });
    const { hour, generation } = recomputed;
    const summary = `diff of ${hour}, generation ${String(generation)}`;
    const reconciled = await long.reconcileHour.executeWithOptions({ summary }, [
      { hour, generation },
    ]);
    if (reconciled.revision === recomputed.revision) {
      run.drift(reconciled.drift);
      run.did({ hours: 1 });
      return comparedHour(recomputed, reconciled);
    }
    if (attempt === ATTEMPTS) {
      throw refuse('revision_conflict', `${hour} is published again and again`, 'try it later');
    }
  }
}

async function recompute(
  run: Run,
  input: RecomputeHourInput,
  turnMs: number,
): Promise<RecomputeHourResult> {
  const child = await startRecompute(input, turnMs);
  const open = { signal: (name: string) => child.signal(name) };
  run.children.add(open);
  try {
    // A pause that came while it was being started has not reached it.
    if (run.paused) await child.signal(PAUSE_SIGNAL).catch(() => undefined);
    return await child.result();
  } finally {
    run.children.delete(open);
  }
}

/** The id is a lock: while somebody else recomputes the hour, this waits for its turn. */
async function startRecompute(input: RecomputeHourInput, turnMs: number): Promise<Recompute> {
  const { workflowId, staticSummary, staticDetails } = recomputeHourStart(input);
  const begunMs = Date.now();
  for (let waitMs = 1_000; ; waitMs = Math.min(2 * waitMs, 30_000)) {
    try {
      return await startChild(recomputeHour, {
        workflowId,
        taskQueue: workflowInfo().taskQueue,
        args: [input],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        staticSummary,
        staticDetails,
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      if (Date.now() - begunMs >= turnMs) {
        throw refuse('conflict', `${workflowId} is at work`, 'the next settlement looks again');
      }
      await sleep(waitMs, { summary: `${workflowId} is at work` });
    }
  }
}
