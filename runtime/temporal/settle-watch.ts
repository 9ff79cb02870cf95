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
  /** Ticks that were missed while the server was down, since the schedule was made. */
  readonly missed: number;
  /** Ticks that were skipped because a settlement was still at work. */
  readonly skipped: number;
  readonly running: number;
  readonly paused: boolean;
  readonly note: string;
}

const ALARM_INTERVALS = 3;

/**
 * Why somebody should look: no settlement has succeeded for three intervals (hours that are due stay
 * provisional), the schedule is paused, or ticks were missed since `before`. Undefined: all is well.
 */
export function settleAlarm(facts: SettleFacts, before?: SettleFacts): string | undefined {
  if (facts.paused) return `the schedule is paused: ${facts.note || 'no note'}`;
  const sinceMs = facts.nowMs - Math.max(facts.lastSuccessMs ?? 0, facts.createdMs);
  if (sinceMs > ALARM_INTERVALS * facts.intervalMs) {
    const now = facts.running > 0 ? 'one is at work' : 'none is at work';
    return `no settlement succeeded for ${String(Math.round(sinceMs / 1000))} s (${now})`;
  }
  const missed = facts.missed - (before ?? facts).missed;
  if (missed > 0) return `${String(missed)} settlements were missed while Temporal was down`;
  return undefined;
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
    missed: info.numActionsMissedCatchupWindow,
    skipped: info.numActionsSkippedOverlap,
    running: info.runningActions.length,
    paused: state.paused,
    note: state.note ?? '',
  };
}
