import { percent } from '../core/reconcile.js';
import type { HourFacts, PlanLine } from './activity-contract.js';
import type {
  CutChoice,
  HeldHour,
  HourAlert,
  HourText,
  PublishHour,
  RecomputeHourResult,
  ReconcileHourResult,
} from './contract.js';

/** An hour that was computed and compared: what a publication is decided from. */
export type ComparedHour = Pick<RecomputeHourResult, 'checksum' | 'ruleSet'> & ReconcileHourResult;

/**
 * The cut at which a replay counts an hour: nothing that is served or recorded late is lost. The cut
 * of what serves is that of the hour where nothing does, and stays right if somebody publishes first.
 */
export function replayCut({ latePending }: Pick<HourFacts, 'latePending'>): CutChoice {
  return latePending > 0 ? 'late' : 'served';
}

/** Puts the two results of an hour together. */
export function comparedHour(
  { checksum, ruleSet }: RecomputeHourResult,
  reconciled: ReconcileHourResult,
): ComparedHour {
  return { ...reconciled, checksum, ruleSet };
}

export interface Decided {
  readonly publish: readonly PublishHour[];
  readonly confirm: readonly PublishHour[];
  readonly held: readonly HourText[];
}

/**
 * What happens to compared hours. An hour that policy holds is left alone unless a person approved; it
 * is never confirmed, since what is missing from both sides is no proof. The same cells by the same
 * rules as those that serve are a confirmation, unless it is the very generation that serves.
 */
export function decide(hours: readonly ComparedHour[], approved: boolean): Decided {
  const publish: PublishHour[] = [];
  const confirm: PublishHour[] = [];
  const held: HourText[] = [];
  for (const one of hours) {
    const { hour, generation, served, revision: expectedRevision, reconciliation } = one;
    if (served === generation) continue;
    const confirms = one.unchanged && served !== null;
    if (one.decision === 'hold' && (confirms || !approved)) held.push(hour);
    else if (confirms) {
      const examinedBy = generation;
      confirm.push({ hour, generation: served, expectedRevision, reconciliation, examinedBy });
    } else publish.push({ hour, generation, expectedRevision, reconciliation });
  }
  return { publish, confirm, held };
}

/**
 * Those of the published hours that policy lets through with an alert, or that it held and a person
 * approved; what differs most first.
 */
export function alertsOf(
  hours: readonly ComparedHour[],
  published: readonly PublishHour[],
): HourAlert[] {
  const names = new Set(published.map(({ hour }) => hour));
  return hours
    .filter(({ hour, decision }) => decision !== 'publish' && names.has(hour))
    .sort((a, b) => b.drift - a.drift || b.cellsDiffer - a.cellsDiffer)
    .map(({ hour, drift, cellsDiffer, reason }) => ({ hour, drift, cellsDiffer, reason }));
}

/** The held hours with the reasons of their comparisons. */
export function holdsOf(hours: readonly ComparedHour[], held: readonly HourText[]): HeldHour[] {
  const names = new Set(held);
  return hours.filter(({ hour }) => names.has(hour)).map(({ hour, reason }) => ({ hour, reason }));
}

/** Whether a person is asked before: not where no hour would be published, only confirmed. */
export function asksApproval(hours: readonly ComparedHour[], needsApproval: boolean): boolean {
  return needsApproval && decide(hours, true).publish.length > 0;
}

/** The lines of a plan, by hour: what an approval is given for. */
export function planLines(hours: readonly ComparedHour[]): PlanLine[] {
  return [...hours]
    .sort((a, b) => Number(a.hour > b.hour) - Number(a.hour < b.hour))
    .map(({ hour, revision, checksum, ruleSet, unchanged, decision }) => ({
      hour,
      expectedRevision: revision,
      checksum,
      ruleSet,
      unchanged,
      decision,
    }));
}

/** Hours on hold, and with an alert, that the words name each at most. */
const NAMED_MAX = 10;

/** What a person approves, in words: how much would change, and what policy says against it. */
export function planWords(hours: readonly ComparedHour[]): string {
  const { publish, confirm } = decide(hours, true);
  const named = (decision: ComparedHour['decision'], what: string): string[] => {
    const all = hours.filter((one) => one.decision === decision);
    const lines = all.slice(0, NAMED_MAX).map(({ hour, reason }) => `${what} ${hour}: ${reason}`);
    const more = all.length - lines.length;
    return more > 0 ? [...lines, `${what} ${String(more)} more`] : lines;
  };
  return [
    `${String(publish.length)} hours to publish, ${String(confirm.length)} to confirm; ` +
      `${String(cellsDiffer(hours))} cells differ, at most ${percent(largestDrift(hours))} of an hour's clicks moved`,
    ...named('hold', 'on hold:'),
    ...named('publish_alert', 'with an alert:'),
  ].join('\n');
}

/** The largest drift; 0 without hours. */
export function largestDrift(hours: readonly ComparedHour[]): number {
  return hours.reduce((max, { drift }) => Math.max(max, drift), 0);
}

/** Cells that differ, over all hours. */
export function cellsDiffer(hours: readonly ComparedHour[]): number {
  return hours.reduce((sum, hour) => sum + hour.cellsDiffer, 0);
}
