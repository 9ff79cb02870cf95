import { setTimeout as delay } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { TruecountError } from '../core/errors.js';
import type { Config } from '../runtime/config.js';
import { temporalCommand } from '../runtime/stack/temporal-binary.js';
import { openTemporal, temporalAddress } from '../runtime/temporal/client.js';
import { APPROVE_UPDATE, type ApproveInput } from '../workflows/contract.js';
import type { StartOptions } from '../workflows/start-options.js';
import { endingWith } from './detached-call.js';
import { Progress, say } from './output.js';
import { Follower, LOG_EVERY_MS, type OnApproval } from './run-follower.js';
import { startCommand, uiLink, type TemporalPlace } from './temporal-command.js';
import { endingError, temporalError } from './workflow-errors.js';
import { attach, runningOf, startOrFollow, type Begun } from './workflow-start.js';

/** A workflow that a verb wants to have run. */
export interface WantedRun {
  readonly options: StartOptions;
  readonly input: object;
  /** Whatever it was started with, the open run of the id is meant. */
  readonly attach?: boolean;
}

export interface FollowOptions {
  /** False: start, and return at once. */
  readonly wait: boolean;
  /** The command that follows this run again, after Ctrl-C. */
  readonly again: string;
  readonly onApproval?: OnApproval;
}

/** A workflow that was started or found running, and its result once it has one. */
export interface RunOutcome {
  readonly workflowId: string;
  readonly runId: string;
  /** False: it was running already. */
  readonly started: boolean;
  readonly temporalUi: string | null;
  /** The `temporal` command that starts the same. */
  readonly command: string;
  /** null: nobody waited for it. */
  readonly result: unknown;
}

const POLL_MS = 500;
/** Of more runs than these the first stands for all: three lines each would bury the plan. */
const TOLD_MAX = 3;
/** One of many may be done when its turn comes: it is asked how far it is only if it is not. */
const TURN_MS = 100;

/** Where the workflows are, for printed commands and links. */
export function temporalPlace(config: Config): TemporalPlace {
  const { namespace, uiUrl } = config.temporal;
  return { address: temporalAddress(config), namespace, uiUrl, cli: temporalCommand() };
}

/** Opens a client for as long as `use` runs; errors of Temporal come out as ours. */
export async function withTemporal<T>(
  config: Config,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const temporal = await openTemporal(config);
  try {
    return await use(temporal.client);
  } catch (error) {
    throw temporalError(error);
  } finally {
    await temporal.close();
  }
}

/**
 * Starts workflows, or follows those that run already with the same input, and waits for their
 * results while it shows how far they are. Ctrl-C leaves them running.
 * @throws TruecountError `conflict` where one runs with another input, the code that a run failed
 * with, `workflow_failed`, `dependency_unreachable`
 */
export async function runWorkflows(
  config: Config,
  wanted: readonly WantedRun[],
  follow: FollowOptions,
): Promise<RunOutcome[]> {
  const place = temporalPlace(config);
  return withTemporal(config, async (client) => {
    const outcomes: RunOutcome[] = [];
    const begun: Begun[] = [];
    for (const { options, input, attach: open } of wanted) {
      const { workflowId } = options;
      const running = open === true ? await runningOf(client, workflowId) : null;
      const one =
        running === null
          ? await startOrFollow(client, options, input)
          : attach(client, workflowId, running);
      begun.push(one);
      const command = startCommand(place, options, one.input);
      const temporalUi = uiLink(place, workflowId, one.runId);
      outcomes.push({
        ...{ workflowId, runId: one.runId, started: one.started, temporalUi, command },
        result: null,
      });
      if (wanted.length <= TOLD_MAX || outcomes.length === 1) tell(outcomes.at(-1)!);
    }
    if (wanted.length > TOLD_MAX) tellRest(outcomes.slice(1));
    if (!follow.wait) return outcomes;
    return withDetach(follow.again, outcomes, (detached) =>
      results(client, begun, outcomes, follow, detached),
    );
  });
}

function tell({ workflowId, started, temporalUi, command }: RunOutcome): void {
  say(`${started ? 'started' : 'follows'}  ${workflowId}`);
  if (temporalUi !== null) say(`look at  ${temporalUi}`);
  say(`same as  ${command}`);
}

function tellRest(rest: readonly RunOutcome[]): void {
  const started = rest.filter((one) => one.started).length;
  const follows = rest.length - started;
  say(
    `and ${String(rest.length)} like it, as far as ${rest.at(-1)!.workflowId}: ` +
      `${String(started)} started, ${String(follows)} followed`,
  );
}

/** Until Ctrl-C: then what there is, and how to follow again. */
async function withDetach<T>(
  again: string,
  soFar: T,
  work: (detached: AbortSignal) => Promise<T>,
): Promise<T> {
  const detach = new AbortController();
  const stop = (): void => {
    detach.abort();
  };
  process.once('SIGINT', stop);
  try {
    return await new Promise<T>((resolve, reject) => {
      detach.signal.addEventListener('abort', () => {
        say('\nit goes on without you; follow it again, or cancel it:');
        say(`  ${again}`);
        say(`  ${again} --cancel`);
        resolve(soFar);
      });
      work(detach.signal).then(resolve, reject);
    });
  } finally {
    process.removeListener('SIGINT', stop);
  }
}

async function results(
  client: Client,
  begun: readonly Begun[],
  outcomes: readonly RunOutcome[],
  follow: FollowOptions,
  detached: AbortSignal,
): Promise<RunOutcome[]> {
  const done: RunOutcome[] = [];
  const failed: unknown[] = [];
  const shared = begun.length > TOLD_MAX ? new Progress(LOG_EVERY_MS) : undefined;
  for (const [i, one] of begun.entries()) {
    const many = begun.length > 1 ? `${String(i + 1)} of ${String(begun.length)}: ` : '';
    const outcome = outcomes[i]!;
    const show = new Follower(client, outcome.workflowId, many, follow.onApproval, shared);
    try {
      const result = await withProgress(client, one.handle, show, detached);
      done.push({ ...outcome, result });
    } catch (error) {
      failed.push(endingError(error, outcome.workflowId));
      done.push(outcome);
    }
  }
  if (failed.length === 0) return done;
  if (failed.length > 1)
    say(`${String(failed.length)} of ${String(begun.length)} failed; the first:`);
  throw failed[0];
}

async function withProgress(
  client: Client,
  handle: WorkflowHandle,
  show: Follower,
  detached: AbortSignal,
): Promise<unknown> {
  const ended = new AbortController();
  const signal = AbortSignal.any([ended.signal, detached]);
  const ask = async (): Promise<void> => {
    if (show.ofMany) await delay(TURN_MS, undefined, { signal }).catch(() => undefined);
    while (!signal.aborted) {
      await show.update();
      await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  };
  const asking = ask();
  try {
    // The long poll ends with the detachment: it would keep the process for a while.
    return await endingWith(client, detached, () => handle.result());
  } finally {
    ended.abort();
    await asking;
    show.done();
  }
}

/**
 * Asks open runs to end at their next safe point; returns those that were open.
 * @throws TruecountError `not_found` where none was, `dependency_unreachable`
 */
export async function cancelRuns(config: Config, ids: readonly string[]): Promise<string[]> {
  return withTemporal(config, async (client) => {
    const cancelled: string[] = [];
    for (const workflowId of ids) {
      const open = await runningOf(client, workflowId);
      if (open === null) continue;
      await client.workflow.getHandle(workflowId).cancel();
      cancelled.push(workflowId);
    }
    if (cancelled.length > 0) return cancelled;
    throw new TruecountError('not_found', `nothing of this range runs: ${ids[0] ?? 'no hours'}`, {
      hint: 'the Temporal UI lists what ran',
    });
  });
}

/** Sends a signal to an open run. @throws TruecountError `not_found`, `dependency_unreachable` */
export async function signalRun(config: Config, workflowId: string, signal: string): Promise<void> {
  await withTemporal(config, (client) => client.workflow.getHandle(workflowId).signal(signal));
}

/**
 * Approves the plan that an open run waits with; false: no run of that id is open.
 * @throws TruecountError `approval_stale`, `conflict` (it does not wait), `dependency_unreachable`
 */
export async function approveRun(
  config: Config,
  workflowId: string,
  approval: ApproveInput,
): Promise<boolean> {
  return withTemporal(config, async (client) => {
    if ((await runningOf(client, workflowId)) === null) return false;
    const handle = client.workflow.getHandle(workflowId);
    await handle.executeUpdate<string, [ApproveInput]>(APPROVE_UPDATE, { args: [approval] });
    return true;
  });
}
