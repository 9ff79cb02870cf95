import type { Client } from '@temporalio/client';
import { SETTLE_SCHEDULE_ID } from '../../workflows/contract.js';

/** What is known of the schedule that settles hours. */
export interface SettleFacts {
  readonly nowMs: number;
  readonly intervalMs: number;
  /** When the schedule was made: before that nothing could succeed. */
  readonly createdMs: number;
  /** Null: none, as far as Temporal remembers. */
  readonly lastSuccessMs: number | null;
  /** When the last settlements were started, ascending: the server keeps ten. */
  readonly startedMs: readonly number[];
  /** Ticks that were missed while the server was down, since the schedule was made. */
  readonly missed: number;
  /** Ticks that were skipped because a settlement was still at work. */
  readonly skipped: number;
  readonly running: number;
  readonly paused: boolean;
  readonly note: string;
}

/** A time in which no settlement was started although ticks were due. */
export interface Standstill {
  readonly fromMs: number;
  readonly toMs: number;
}

const ALARM_INTERVALS = 3;

/** Why somebody should look: what is wrong now, or was a short while ago. Undefined: all is well. */
export function settleAlarm(facts: SettleFacts): string | undefined {
  return settleFault(facts) ?? standstillText(facts);
}

/**
 * What is wrong now: the schedule is paused, or no settlement has succeeded for three intervals (hours
 * that are due stay provisional).
 */
export function settleFault(facts: SettleFacts): string | undefined {
  if (facts.paused) return `the schedule is paused: ${facts.note || 'no note'}`;
  const sinceMs = successAgeMs(facts);
  if (sinceMs <= ALARM_INTERVALS * facts.intervalMs) return undefined;
  const now = facts.running > 0 ? 'one is at work' : 'none is at work';
  return `no settlement succeeded for ${seconds(sinceMs)} (${now})`;
}

/** Tells of a standstill, as far as the server remembers. */
export function standstillText(facts: SettleFacts): string | undefined {
  const still = standstill(facts);
  if (still === null) return undefined;
  return (
    `settlements stood still for ${seconds(still.toMs - still.fromMs)}, ` +
    `until ${new Date(still.toMs).toISOString()}: Temporal or all workers were down, or one took long`
  );
}

/** Time since a settlement succeeded; of a schedule without one, since it was made. */
export function successAgeMs({ nowMs, lastSuccessMs, createdMs }: SettleFacts): number {
  return nowMs - Math.max(lastSuccessMs ?? 0, createdMs);
}

/**
 * The last time longer than three intervals between two starts, of those that the server remembers.
 * A tick starts nothing while the server is down, nor, by the overlap policy, while a settlement is
 * open, which it is until a worker takes it. So both kinds of outage leave a gap, and whoever asks
 * within the ten settlements after it learns of it, without having watched.
 */
export function standstill({ nowMs, intervalMs, startedMs }: SettleFacts): Standstill | null {
  const times = [...startedMs, nowMs];
  for (let i = times.length - 1; i > 0; i--) {
    const [fromMs, toMs] = [times[i - 1]!, times[i]!];
    if (toMs - fromMs > ALARM_INTERVALS * intervalMs) return { fromMs, toMs };
  }
  return null;
}

function seconds(ms: number): string {
  return `${String(Math.round(ms / 1000))} s`;
}

/**
 * Asks Temporal. The last success is read from visibility, which follows within seconds; a settlement
 * in which hours failed is none.
 */
export async function readSettleFacts(client: Client, intervalMs: number): Promise<SettleFacts> {
  const { info, state } = await client.schedule.getHandle(SETTLE_SCHEDULE_ID).describe();
  const completed = client.workflow.list({
    query:
      `WorkflowType = 'settleDueHours' AND ExecutionStatus = 'Completed' ` +
      `AND TruecountOutcome != 'some_failed'`,
    pageSize: 1,
  });
  let lastSuccessMs: number | null = null;
  for await (const { closeTime } of completed) {
    lastSuccessMs = closeTime?.getTime() ?? null;
    break;
  }
  return {
    nowMs: Date.now(),
    intervalMs,
    createdMs: info.createdAt.getTime(),
    lastSuccessMs,
    startedMs: info.recentActions.map(({ takenAt }) => takenAt.getTime()).sort((a, b) => a - b),
    missed: info.numActionsMissedCatchupWindow,
    skipped: info.numActionsSkippedOverlap,
    running: info.runningActions.length,
    paused: state.paused,
    note: state.note ?? '',
  };
}
