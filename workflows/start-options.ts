import { REPLAY_QUEUE, SETTLE_QUEUE, workflowIds } from './contract.js';
import type {
  CutHourInput,
  PublishRangeInput,
  RecomputeHourInput,
  ReconcileHourInput,
  ReplayRangeInput,
  SettleInput,
} from './contract.js';
import { hourRange, hourText, REPLAY_HOURS_MAX } from './input.js';

/** How a workflow is started, by whomever: its id (a lock), queue, and what the UI shows of it. */
export interface StartOptions {
  readonly workflowType: WorkflowType;
  readonly workflowId: string;
  readonly taskQueue: string;
  readonly staticSummary: string;
  readonly staticDetails: string;
}

/** Inputs by workflow type. */
export interface WorkflowInputs {
  readonly cutHour: CutHourInput;
  readonly recomputeHour: RecomputeHourInput;
  readonly reconcileHour: ReconcileHourInput;
  readonly publishRange: PublishRangeInput;
  readonly replayRange: ReplayRangeInput;
  readonly settleDueHours: SettleInput;
}

export type WorkflowType = keyof WorkflowInputs;

/** A person's start: on the queue that does not wait behind the schedule's work. */
export function cutHourStart(input: CutHourInput): StartOptions {
  const hour = hourText('hour', input.hour);
  return {
    workflowType: 'cutHour',
    workflowId: workflowIds.cut(hour),
    taskQueue: REPLAY_QUEUE,
    staticSummary: `Cut ${short(hour)}`,
    staticDetails: 'Ends live counting of the hour at an exact line of the log.',
  };
}

/** Of a person, or of a parent workflow, on its queue. */
export function recomputeHourStart(
  input: RecomputeHourInput,
  taskQueue: string = REPLAY_QUEUE,
): StartOptions {
  const hour = hourText('hour', input.hour);
  const rules = input.rules === undefined ? 'own rules' : `rules ${input.rules.slice(0, 12)}`;
  return {
    workflowType: 'recomputeHour',
    workflowId: workflowIds.recompute(hour, input.rules ?? 'own'),
    taskQueue,
    staticSummary: `Recompute ${short(hour)} (${rules}, cut: ${input.cut ?? 'hour'})`,
    staticDetails: 'Counts the hour anew from the lake, into a generation. Nothing is published.',
  };
}

export function reconcileHourStart(input: ReconcileHourInput): StartOptions {
  const hour = hourText('hour', input.hour);
  return {
    workflowType: 'reconcileHour',
    workflowId: workflowIds.reconcile(hour, input.generation),
    taskQueue: REPLAY_QUEUE,
    staticSummary: `Reconcile ${short(hour)} with generation ${String(input.generation)}`,
    staticDetails: 'Compares cell by cell, names causes, and decides. Nothing is published.',
  };
}

/** @param name tells this publication from others: one open run of a name. */
export function publishRangeStart(input: PublishRangeInput, name: string): StartOptions {
  const hours = input.hours.map(({ hour }) => hourText('hour', hour)).sort();
  const range = hours.length === 0 ? '' : ` ${short(hours[0]!)} … ${short(hours.at(-1)!)}`;
  return {
    workflowType: 'publishRange',
    workflowId: workflowIds.publish(name),
    taskQueue: REPLAY_QUEUE,
    staticSummary: `${capital(input.kind)}${range} (${String(hours.length)} hours)`,
    staticDetails: `By ${input.actor}: ${input.reason}`,
  };
}

export function replayRangeStart(input: ReplayRangeInput): StartOptions {
  const { from, to, hours } = hourRange(input.from, input.to, REPLAY_HOURS_MAX);
  const rules = input.rules === undefined ? 'own rules' : `rules ${input.rules.slice(0, 12)}`;
  return {
    workflowType: 'replayRange',
    workflowId: workflowIds.replay(from, to),
    taskQueue: REPLAY_QUEUE,
    staticSummary: `Replay ${short(from)} … ${short(to)} (${String(hours.length)} h, ${rules})`,
    staticDetails:
      `By ${input.actor ?? 'unknown'}: ${input.reason ?? 'no reason given'}\n\n` +
      'Cut what is due, recompute, reconcile, publish all hours at once. ' +
      'Signals: `pause`, `resume`. Updates: `approve {"hash"}`, `reject {"reason"}`.',
  };
}

export const SETTLE_START: StartOptions = {
  workflowType: 'settleDueHours',
  workflowId: 'settle',
  taskQueue: SETTLE_QUEUE,
  staticSummary: 'Settle hours that are due',
  staticDetails: 'Cuts, recomputes, reconciles and publishes hours whose time has come.',
};

/** `2026-11-21T10Z`: enough of an hour for a title. */
function short(hour: string): string {
  return `${hour.slice(0, 13)}Z`;
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}
