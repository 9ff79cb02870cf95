import type { DiffCause, MinuteBounds } from './cell-causes.js';
import type { HourFlow } from './generation-draft.js';
import { MINUTES_PER_HOUR } from './time.js';

/** What happens to a generation after it was compared with what it would replace. */
export const RECONCILE_DECISIONS = ['publish', 'publish_alert', 'hold'] as const;
export type ReconcileDecision = (typeof RECONCILE_DECISIONS)[number];

export interface ReconcilePolicy {
  /** Clicks per million of an hour that may move before somebody is told. */
  readonly thresholdPpm: number;
  readonly overThreshold: 'alert' | 'hold';
}

/** One partition's clicks of the hour, per minute, as its two readers have counted them so far. */
export interface PartitionBooks {
  readonly topic: string;
  readonly partition: number;
  readonly streamNext: number;
  readonly archiveNext: number;
  /** 60 each: clicks of any fate; all clicks archived. */
  readonly stream: readonly number[];
  readonly archive: readonly number[];
  /** One of the two has a loss in this partition: their counts may differ. */
  readonly lossy: boolean;
}

/** Everything but the cells that a reconciliation looks at. Arrays have 60 numbers, one a minute. */
export interface HourEvidence {
  readonly against: 'live' | 'served';
  /** The generation's cut is nowhere below the cut of what it replaces, nor of the hour. */
  readonly coversBase: boolean;
  /** Of the generation: clicks below its cut. */
  readonly flow: Omit<HourFlow, 'filteredBy'>;
  /** Of the stream: clicks counted into the hour, below its cut; duplicates also above it. */
  readonly streamCounted: readonly number[];
  readonly streamDuplicate: readonly number[];
  readonly streamFiltered: readonly number[];
  /** Late clicks recorded below the generation's cut. */
  readonly late: readonly number[];
  /** The hour has a cause for which live may have counted duplicates. */
  readonly memoryLost: boolean;
  /** Offsets below the generation's cut that the stream, and the archive, never read. */
  readonly streamLost: number;
  readonly archiveLost: number;
  /** Of those of the stream, the ones at or above the cut of what is replaced (live: all). */
  readonly streamLostInDiff: number;
  readonly partitions: readonly PartitionBooks[];
}

/** Totals of a diff. */
export interface DiffTotals {
  /** Of the unfiltered total; or of the dimension in which more clicks changed their value. */
  readonly clicksMoved: number;
  readonly clicksNew: number;
  readonly cellsDiffer: number;
  readonly causes: Readonly<Partial<Record<DiffCause, CauseTotals>>>;
}

export interface CauseTotals {
  readonly cells: number;
  readonly clicks: number;
}

export interface Decided {
  /** Share of the clicks that moved: clicksMoved / max(clicksNew, 1). */
  readonly drift: number;
  readonly decision: ReconcileDecision;
  /** One sentence for people. */
  readonly reason: string;
}

/**
 * How far each cause can move a cell, per minute (see `causesOf`). Below the generation's cut a click
 * is counted, filtered or late in the stream's books, or a duplicate. Of duplicates the stream also
 * has some from above the hour's cut (those it saw before it learned of the cut), so its books bound
 * what is below the cut instead of giving it.
 */
export function minuteBounds(evidence: HourEvidence): MinuteBounds[] {
  const { flow, streamLostInDiff, streamLost, archiveLost } = evidence;
  return Array.from({ length: MINUTES_PER_HOUR }, (_, minute) => {
    const received = flow.received[minute]!;
    const { least, most } = streamReceived(evidence, minute);
    const unread = Math.max(0, received - least) + archiveLost;
    const unarchived = Math.max(0, most - received) + streamLost;
    const live = evidence.against === 'live';
    // Of these, live may have counted some: with a click's memory goes that of its caps.
    const remembered = flow.duplicate[minute]! + flow.filtered[minute]!;
    return {
      unread: Math.min(streamLostInDiff, unread),
      unarchived: Math.min(archiveLost, unarchived),
      recounted: live && evidence.memoryLost ? remembered : 0,
      orphaned: live && streamLostInDiff > 0 ? remembered : 0,
    };
  });
}

/**
 * Decides. Some things hold a generation back whatever the policy says: clicks below its cut that the
 * lake never had, a cut below that of what it replaces, and books of the stream and the archive that
 * do not agree (I3). Then: nothing differs, or as much as is allowed, is published; a difference
 * without a cause, or a larger one, is published with an alert or held, as the policy says.
 */
export function decideReconciliation(
  evidence: HourEvidence,
  totals: DiffTotals,
  policy: ReconcilePolicy,
): Decided {
  const drift = totals.clicksMoved / Math.max(totals.clicksNew, 1);
  const over = policy.overThreshold === 'hold' ? 'hold' : 'publish_alert';
  const fault = holdsAlways(evidence);
  if (fault !== null) return { drift, decision: 'hold', reason: fault };
  if (totals.cellsDiffer === 0) return { drift, decision: 'publish', reason: 'no cell differs' };
  const unknown = totals.causes.unknown?.cells ?? 0;
  if (unknown > 0) {
    const reason = `${String(unknown)} cells differ without a known cause (I6)`;
    return { drift, decision: over, reason };
  }
  const share = `${percent(drift)} of the clicks moved, ${percent(policy.thresholdPpm / 1e6)} may`;
  return drift * 1e6 <= policy.thresholdPpm
    ? { drift, decision: 'publish', reason: share }
    : { drift, decision: over, reason: share };
}

function holdsAlways(evidence: HourEvidence): string | null {
  if (evidence.archiveLost > 0) {
    return `${String(evidence.archiveLost)} offsets below the cut were never archived`;
  }
  if (!evidence.coversBase) {
    return 'the cut of the generation is below that of the hour or of what it would replace';
  }
  return flowFault(evidence) ?? partitionFault(evidence);
}

/** Clicks of a minute that the stream has seen below the generation's cut, but for those it lost. */
function streamReceived(evidence: HourEvidence, minute: number): { least: number; most: number } {
  const least =
    evidence.streamCounted[minute]! + evidence.streamFiltered[minute]! + evidence.late[minute]!;
  return { least, most: least + evidence.streamDuplicate[minute]! };
}

/** I3 per minute below the cut: what the generation was made from against the stream's books. */
function flowFault(evidence: HourEvidence): string | null {
  let beyond = 0;
  for (let minute = 0; minute < MINUTES_PER_HOUR; minute++) {
    const received = evidence.flow.received[minute]!;
    const { least, most } = streamReceived(evidence, minute);
    if (received < least) {
      return (
        `minute ${String(minute)}: the files hold ${String(received)} clicks below the cut, ` +
        `the stream has seen at least ${String(least)} (I3)`
      );
    }
    beyond += Math.max(0, received - most);
    if (beyond > evidence.streamLost) {
      return (
        `minute ${String(minute)}: the files hold ${String(received)} clicks below the cut, ` +
        `the stream has seen at most ${String(most)} and lost no more than ` +
        `${String(evidence.streamLost)} (I3)`
      );
    }
  }
  return null;
}

/**
 * I3 per partition and minute: where both readers stand at the same offset their counts are equal;
 * whoever is ahead has no less. And what the files hold below the cut is part of what was archived.
 */
function partitionFault({ partitions, flow }: HourEvidence): string | null {
  for (let minute = 0; minute < MINUTES_PER_HOUR; minute++) {
    let archived = 0;
    for (const books of partitions) {
      const [seen, stored] = [books.stream[minute]!, books.archive[minute]!];
      archived += stored;
      if (books.lossy) continue;
      const short =
        (books.archiveNext >= books.streamNext && stored < seen) ||
        (books.archiveNext <= books.streamNext && stored > seen);
      if (short) {
        return (
          `${books.topic}/${String(books.partition)}, minute ${String(minute)}: ` +
          `${String(stored)} clicks archived below ${String(books.archiveNext)}, ` +
          `${String(seen)} seen by the stream below ${String(books.streamNext)} (I3)`
        );
      }
    }
    if (flow.received[minute]! > archived) {
      return (
        `minute ${String(minute)}: the files hold ${String(flow.received[minute])} clicks below ` +
        `the cut, but only ${String(archived)} were archived (I3)`
      );
    }
  }
  return null;
}

/** A share for people: `0.123 %`, three digits. */
export function percent(share: number): string {
  return `${String(Number((share * 100).toPrecision(3)))} %`;
}
