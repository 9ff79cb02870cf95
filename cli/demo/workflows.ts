import type { Client, WorkflowHandle } from '@temporalio/client';
import { formatTime, type TimeRange } from '../../core/range.js';
import { APPROVE_UPDATE, PROGRESS_QUERY } from '../../workflows/contract.js';
import type {
  PublishRangeInput,
  PublishRangeResult,
  ReplayRangeInput,
  ReplayRangeResult,
  WorkflowProgress,
} from '../../workflows/contract.js';
import { publishRangeStart, replayRangeStart } from '../../workflows/start-options.js';
import type { StartOptions } from '../../workflows/start-options.js';
import type { Stage } from './stage.js';

const ACTOR = 'demo';

/** A replay that has computed everything and waits for somebody to approve it. */
export interface WaitingReplay {
  readonly workflowId: string;
  /** What is approved. */
  readonly hash: string;
  approve(): Promise<ReplayRangeResult>;
}

/** Starts a replay of all hours under a rule set, and waits until its plan is there. */
export async function replayToApproval(
  stage: Stage,
  client: Client,
  range: TimeRange,
  rules: string,
  onProgress: (progress: WorkflowProgress) => void,
): Promise<WaitingReplay> {
  const input: ReplayRangeInput = {
    ...{ from: formatTime(range.fromMs), to: formatTime(range.toMs), rules },
    ...{ needsApproval: true, actor: ACTOR, reason: 'the rule set forgot a value' },
  };
  const options = replayRangeStart(input);
  const handle = await start(client, options, input);
  const result = handle.result() as Promise<ReplayRangeResult>;
  let ended: { error?: unknown } | undefined;
  result.then(
    () => (ended = { error: new Error('the replay asked nobody') }),
    (error: unknown) => (ended = { error }),
  );
  let hash: string | null = null;
  await stage.until('the plan of the replay', async (moved) => {
    if (ended !== undefined) throw ended.error;
    const progress = await progressOf(handle);
    if (progress !== null) {
      onProgress(progress);
      moved(progress.hoursDone);
    }
    hash = progress?.awaitsApproval ?? null;
    return hash !== null;
  });
  return {
    workflowId: options.workflowId,
    hash: hash!,
    approve: async () => {
      await handle.executeUpdate(APPROVE_UPDATE, { args: [{ hash, actor: ACTOR }] });
      return result;
    },
  };
}

/** null while the workflow has not begun to answer. */
async function progressOf(handle: WorkflowHandle): Promise<WorkflowProgress | null> {
  try {
    return await handle.query<WorkflowProgress>(PROGRESS_QUERY);
  } catch {
    return null;
  }
}

/** Serves what the newest revision has replaced, in all hours at once: rolls back, or forward. */
export async function serveBefore(
  stage: Stage,
  client: Client,
  range: TimeRange,
  kind: 'rollback' | 'publish',
): Promise<PublishRangeResult> {
  const { rows } = await stage.pool.query<{ hour: Date; newest: number; before: string }>(
    `select hour, max(revision) as newest,
            (array_agg(generation order by revision desc))[2] as before
       from pointers where hour >= $1 and hour < $2 group by hour order by hour`,
    [new Date(range.fromMs), new Date(range.toMs)],
  );
  const input: PublishRangeInput = {
    hours: rows.map(({ hour, newest, before }) => ({
      hour: formatTime(hour.getTime()),
      generation: Number(before),
      expectedRevision: newest,
    })),
    ...{ kind, actor: ACTOR, reason: kind === 'rollback' ? 'second thoughts' : 'it was right' },
  };
  const options = publishRangeStart(input, `demo-${kind}`);
  const handle = await start(client, options, input);
  return (await handle.result()) as PublishRangeResult;
}

async function start(
  client: Client,
  { workflowType, ...options }: StartOptions,
  input: object,
): Promise<WorkflowHandle> {
  return client.workflow.start(workflowType, { ...options, args: [input] });
}
