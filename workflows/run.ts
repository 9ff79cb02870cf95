import {
  allHandlersFinished,
  CancellationScope,
  condition,
  defineQuery,
  defineSignal,
  isCancellation,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import { HOUR_MS } from '../core/time.js';
import { PAUSE_SIGNAL, PROGRESS_QUERY, RESUME_SIGNAL } from './contract.js';
import type { HourText, WorkflowProgress } from './contract.js';
import { endingFailure } from './failures.js';
import { hourMsOf } from './input.js';
import { noProgress, progressAt, progressTable } from './progress.js';
import type { ProgressState } from './progress.js';
import { DRIFT, FROM, OUTCOME, STAGE, TO, TRIGGER } from './search-attributes.js';

const SCHEDULED_BY = defineSearchAttributeKey('TemporalScheduledById', 'KEYWORD');

/** A workflow that this run started and that is still open. */
export interface OpenChild {
  signal(name: string): Promise<void>;
}

/** What every workflow shows and obeys: progress, stage, pause and resume. */
export class Run {
  readonly children = new Set<OpenChild>();
  readonly #startMs: number;
  readonly #state: ProgressState;
  #drift: number | null = null;

  /** @param startMs when the first run of a continued one began */
  constructor(hours: number, startMs = Date.now()) {
    this.#startMs = startMs;
    this.#state = noProgress(hours);
  }

  get startMs(): number {
    return this.#startMs;
  }

  progress(): WorkflowProgress {
    return progressAt(this.#state, Date.now() - this.#startMs);
  }

  /** Changes what is shown; a new stage can be searched for. */
  show(change: Partial<ProgressState>): void {
    const before = this.#state.stage;
    Object.assign(this.#state, change);
    if (this.#state.stage !== before) {
      upsertSearchAttributes([{ key: STAGE, value: this.#state.stage }]);
    }
    setCurrentDetails(progressTable(this.progress()));
  }

  /** Adds to what is done. */
  did(done: { readonly hours?: number; readonly rows?: number }): void {
    const { hoursDone, rowsDone } = this.#state;
    this.show({ hoursDone: hoursDone + (done.hours ?? 0), rowsDone: rowsDone + (done.rows ?? 0) });
  }

  drift(value: number): void {
    if (this.#drift !== null && value <= this.#drift) return;
    this.#drift = value;
    upsertSearchAttributes([{ key: DRIFT, value }]);
  }

  /** Returns at once, or when the run is resumed. */
  async untilResumed(): Promise<void> {
    if (this.#state.paused) await condition(() => !this.#state.paused);
  }

  /** Pauses or resumes this run and what it has started. */
  async setPaused(paused: boolean): Promise<void> {
    this.show({ paused });
    const signal = paused ? PAUSE_SIGNAL : RESUME_SIGNAL;
    // One that has just ended takes no signal, and needs none.
    await Promise.allSettled([...this.children].map((child) => child.signal(signal)));
  }

  get paused(): boolean {
    return this.#state.paused;
  }
}

export interface RunSpec {
  readonly from: HourText;
  /** End of the last hour. */
  readonly to: HourText;
  readonly hours: number;
  readonly startMs?: number;
  readonly paused?: boolean;
}

/** The range of one hour. */
export function ofHour(hour: HourText): RunSpec {
  const to = new Date(hourMsOf(hour) + HOUR_MS).toISOString().replace('.000Z', 'Z');
  return { from: hour, to, hours: 1 };
}

/**
 * Runs the body of a workflow between its handlers and its outcome. `outcome` puts the result into
 * one word to search for; a failure ends the run with one of the closed codes as its type.
 */
export async function running<T>(
  spec: RunSpec,
  outcome: (result: T) => string,
  body: (run: Run) => Promise<T>,
): Promise<T> {
  const run = new Run(spec.hours, spec.startMs);
  setHandler(defineQuery<WorkflowProgress>(PROGRESS_QUERY), () => run.progress(), {
    description: 'Stage, hours, rows, rate and time left.',
  });
  setHandler(defineSignal(PAUSE_SIGNAL), () => run.setPaused(true), {
    description: 'Stop before the next task or the publish; what is in work is finished.',
  });
  setHandler(defineSignal(RESUME_SIGNAL), () => run.setPaused(false), {
    description: 'Go on after a pause.',
  });
  if (spec.paused === true) run.show({ paused: true });
  upsertSearchAttributes([
    { key: TRIGGER, value: trigger() },
    { key: FROM, value: new Date(spec.from) },
    { key: TO, value: new Date(spec.to) },
  ]);
  try {
    const result = await body(run);
    upsertSearchAttributes([{ key: OUTCOME, value: outcome(result) }]);
    run.show({ stage: 'done' });
    return result;
  } catch (error) {
    if (isContinueAsNew(error)) throw error;
    const ending = endingFailure(error);
    const value = isCancellation(ending) ? 'cancelled' : 'failed';
    upsertSearchAttributes([{ key: OUTCOME, value }]);
    throw ending;
  } finally {
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  }
}

function isContinueAsNew(error: unknown): boolean {
  return error instanceof Error && error.name === 'ContinueAsNew';
}

export function trigger(): string {
  const info = workflowInfo();
  // `replay/<range>`, and `settle-<time>` of the schedule.
  if (info.parent !== undefined) return info.parent.workflowId.split(/[/-]/, 1)[0] ?? 'parent';
  return info.typedSearchAttributes.get(SCHEDULED_BY) === undefined ? 'person' : 'schedule';
}
