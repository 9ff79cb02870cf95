import {
  ServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import type { Client, WorkflowExecutionInfo, WorkflowHandle } from '@temporalio/client';
import type {
  Replay,
  ReplayControl,
  ReplayProgress,
  ReplayRequest,
  ReplayResult,
  ReplaySummary,
} from '../../api/replay-control.js';
import { TruecountError } from '../../core/errors.js';
import { PROGRESS_QUERY } from '../../workflows/contract.js';
import type { ReplayRangeResult, WorkflowProgress } from '../../workflows/contract.js';
import { unchangedOf } from '../../workflows/replay-result.js';
import { replayRangeStart } from '../../workflows/start-options.js';
import type { Config } from '../config.js';
import { openTemporal, type TemporalConnection } from './client.js';

const QUERY_TIMEOUT_MS = 3_000;
/** A replay that goes on in a new run is one replay: its ended runs are not listed. */
const REPLAYS = `WorkflowType = 'replayRange' AND ExecutionStatus != 'ContinuedAsNew'`;

/** Replays on the configured Temporal, for the API. It connects when it is first asked. */
export class TemporalReplays implements ReplayControl {
  private opened: Promise<TemporalConnection> | undefined;

  constructor(private readonly config: Config) {}

  async start(request: ReplayRequest): Promise<ReplaySummary> {
    const { workflowType, ...options } = replayRangeStart(request);
    return this.with(async (client) => {
      try {
        await client.workflow.start(workflowType, {
          ...options,
          args: [request],
          workflowIdConflictPolicy: 'FAIL',
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        });
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        throw new TruecountError('conflict', `${options.workflowId} runs already`, {
          hint: 'GET /replays says how far it is',
          cause: error,
        });
      }
      return summaryOf(await client.workflow.getHandle(options.workflowId).describe());
    });
  }

  async list(limit: number): Promise<ReplaySummary[]> {
    return this.with(async (client) => {
      const found: ReplaySummary[] = [];
      for await (const info of client.workflow.list({ query: REPLAYS, pageSize: limit })) {
        found.push(summaryOf(info));
        if (found.length === limit) break;
      }
      return found.sort((a, b) => b.startedAtMs - a.startedAtMs);
    });
  }

  async get(id: string): Promise<Replay | null> {
    return this.with(async (client) => {
      const handle = client.workflow.getHandle(id);
      const info = await handle.describe().catch((error: unknown) => {
        if (error instanceof WorkflowNotFoundError) return null;
        throw error;
      });
      if (info?.type !== 'replayRange') return null;
      const summary = summaryOf(info);
      const running = summary.state === 'running';
      return {
        ...summary,
        progress: running ? await progressOf(client, handle) : null,
        ...(running ? { result: null, error: null } : await endOf(handle)),
      };
    });
  }

  async close(): Promise<void> {
    const opened = await this.opened?.catch(() => undefined);
    await opened?.close();
  }

  private async with<T>(use: (client: Client) => Promise<T>): Promise<T> {
    this.opened ??= openTemporal(this.config);
    const opened = await this.opened.catch((error: unknown) => {
      this.opened = undefined; // the next question tries again
      throw error;
    });
    try {
      return await use(opened.client);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      throw new TruecountError('dependency_unreachable', `Temporal: ${error.message}`, {
        hint: 'truecount doctor says what is wrong; what runs goes on when Temporal is back',
        cause: error,
      });
    }
  }
}

const STATES: Readonly<Partial<Record<string, ReplaySummary['state']>>> = {
  COMPLETED: 'completed',
  FAILED: 'failed',
  CANCELLED: 'canceled',
  TERMINATED: 'terminated',
  TIMED_OUT: 'timed_out',
};

type Described = Pick<WorkflowExecutionInfo, 'workflowId' | 'runId' | 'status' | 'startTime'> & {
  readonly closeTime?: Date | undefined;
};

function summaryOf(info: Described): ReplaySummary {
  return {
    id: info.workflowId,
    runId: info.runId,
    state: STATES[info.status.name] ?? 'running',
    startedAtMs: info.startTime.getTime(),
    closedAtMs: info.closeTime?.getTime() ?? null,
  };
}

/** null where no worker answers in time. */
async function progressOf(client: Client, handle: WorkflowHandle): Promise<ReplayProgress | null> {
  try {
    return await client.withDeadline(Date.now() + QUERY_TIMEOUT_MS, () =>
      handle.query<WorkflowProgress>(PROGRESS_QUERY),
    );
  } catch {
    return null;
  }
}

async function endOf(
  handle: WorkflowHandle,
): Promise<{ result: ReplayResult | null; error: string | null }> {
  try {
    const result = (await handle.result()) as ReplayRangeResult;
    const { alerted = 0, alerts = [], holds = [] } = result;
    const told = { unchanged: unchangedOf(result), alerted, alerts, holds };
    return { result: { ...result, ...told }, error: null };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    return { result: null, error: error.cause?.message ?? error.message };
  }
}
