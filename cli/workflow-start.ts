import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  defaultPayloadConverter,
  type Client,
  type WorkflowHandle,
} from '@temporalio/client';
import { TruecountError } from '../core/errors.js';
import { canonicalJson } from '../core/rules/canonical-json.js';
import type { StartOptions } from '../workflows/start-options.js';

/** A run that was started, or found. */
export interface Begun {
  readonly handle: WorkflowHandle;
  readonly runId: string;
  readonly started: boolean;
  /** What it was started with. */
  readonly input: object;
}

/** What of an input does not change what is done: who asks, and how fast it may go. */
const BESIDE_THE_POINT = ['actor', 'reason', 'parallel', 'approvalTimeoutMs', 'archiveTimeoutMs'];

/**
 * Starts a workflow; if its id runs already with the same input, that run is followed.
 * @throws TruecountError `conflict` where it runs with another input; errors of Temporal
 */
export async function startOrFollow(
  client: Client,
  options: StartOptions,
  input: object,
): Promise<Begun> {
  const { workflowType, workflowId, taskQueue, staticSummary, staticDetails } = options;
  // A run may end between the two looks: then the next start succeeds.
  for (let attempt = 1; ; attempt++) {
    try {
      const handle = await client.workflow.start(workflowType, {
        ...{ workflowId, taskQueue, staticSummary, staticDetails, args: [input] },
        workflowIdConflictPolicy: 'FAIL',
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      });
      return { handle, runId: handle.firstExecutionRunId, started: true, input };
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError) || attempt === 3) throw error;
    }
    const running = await runningOf(client, workflowId);
    if (running === null) continue;
    if (!alike(running.input, input)) throw otherInput(workflowId, running.input);
    return attach(client, workflowId, running);
  }
}

/** A run that is open, to be followed. */
export function attach(client: Client, workflowId: string, { runId, input }: OpenRun): Begun {
  const handle = client.workflow.getHandle(workflowId, runId);
  return { handle, runId, started: false, input };
}

/** A run that has not ended. */
export interface OpenRun {
  readonly runId: string;
  /** What it was started with. */
  readonly input: object;
}

/** The open run of an id with the input it was started with; null: none is open. */
export async function runningOf(client: Client, workflowId: string): Promise<OpenRun | null> {
  const found = await client.workflow
    .getHandle(workflowId)
    .describe()
    .catch((error: unknown) => {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    });
  if (found === null) return null;
  const { runId, status } = found;
  if (status.name !== 'RUNNING' && status.name !== 'PAUSED') return null;
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: 1,
  });
  const started = history?.events?.[0]?.workflowExecutionStartedEventAttributes;
  const payload = started?.input?.payloads?.[0];
  const input = payload === undefined ? {} : defaultPayloadConverter.fromPayload<object>(payload);
  return { runId, input };
}

/** Whether two inputs ask for the same. */
export function alike(a: object, b: object): boolean {
  return essence(a) === essence(b);
}

function essence(input: object): string {
  const entries = Object.entries(input).filter(
    ([key, value]: [string, unknown]) =>
      !BESIDE_THE_POINT.includes(key) && value !== undefined && value !== null && value !== false,
  );
  return canonicalJson(Object.fromEntries(entries));
}

function otherInput(workflowId: string, input: object): TruecountError {
  return new TruecountError(
    'conflict',
    `${workflowId} runs already with another input: ${JSON.stringify(input)}`,
    {
      hint: 'wait until it has ended, or cancel it: the same verb and range with --cancel',
      context: { workflow_id: workflowId, input },
    },
  );
}
