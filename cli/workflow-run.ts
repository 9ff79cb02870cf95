import { setTimeout as delay } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { TruecountError } from '../core/errors.js';
import type { Config } from '../runtime/config.js';
import { temporalCommand } from '../runtime/stack/temporal-binary.js';
import { openTemporal, temporalAddress } from '../runtime/temporal/client.js';
import {
  APPROVE_UPDATE,
  PROGRESS_QUERY,
  type ApproveInput,
  type WorkflowProgress,
} from '../workflows/contract.js';
import type { StartOptions } from '../workflows/start-options.js';
import { Progress, say } from './output.js';
import { progressLine } from './progress-line.js';
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
  /** Told when a run waits for a person's approval of `hash`; `words` say what of. */
  readonly onApproval?: (hash: string, words: string) => void;
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
const QUERY_TIMEOUT_MS = 3_000;
/** A replay may take hours: a log gets a line this often, and one for every stage. */
const LOG_EVERY_MS = 10_000;

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
      tell(outcomes.at(-1)!);
    }
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
  for (const [i, one] of begun.entries()) {
    const many = begun.length > 1 ? `${String(i + 1)} of ${String(begun.length)}: ` : '';
    const outcome = outcomes[i]!;
    const show = new Follower(client, outcome.workflowId, many, follow);
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
    while (!signal.aborted) {
      await show.update();
      await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  };
  const asking = ask();
  try {
    // The long poll ends with the detachment: it would keep the process for a while.
    return await client.withAbortSignal(detached, () => handle.result());
  } finally {
    ended.abort();
    await asking;
    show.done();
  }
}

/** Shows how far one run is. */
class Follower {
  private readonly progress = new Progress(LOG_EVERY_MS);
  private stage = '';
  private approval: string | null = null;
  private silent = false;

  constructor(
    private readonly client: Client,
    private readonly workflowId: string,
    private readonly prefix: string,
    private readonly options: FollowOptions,
  ) {}

  /** Asks and shows. A run whose worker does not answer is said so once; it goes on when one is. */
  async update(): Promise<void> {
    const deadline = Date.now() + QUERY_TIMEOUT_MS;
    try {
      // Without a run id: after a run has continued as a new one, that one answers.
      const now = await this.client.withDeadline(deadline, () =>
        this.client.workflow.getHandle(this.workflowId).query<WorkflowProgress>(PROGRESS_QUERY),
      );
      this.show(now);
      this.silent = false;
    } catch {
      if (this.silent) return;
      this.silent = true;
      this.progress.update('no worker answers yet: truecount run worker starts one');
    }
  }

  done(): void {
    this.progress.done();
  }

  private show(now: WorkflowProgress): void {
    const line = this.prefix + progressLine(now);
    // In a log each stage has a line of its own, however short it was.
    if (now.stage !== this.stage && !process.stderr.isTTY) say(line);
    else this.progress.update(line);
    this.stage = now.stage;
    if (now.awaitsApproval !== null && now.awaitsApproval !== this.approval) {
      this.progress.done();
      this.options.onApproval?.(now.awaitsApproval, now.detail);
    }
    this.approval = now.awaitsApproval;
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
