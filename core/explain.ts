import type { FieldValue } from './click/click.js';
import type { Cut } from './cut.js';
import { parseFilter } from './rules/filter.js';
import { TOTAL_FILTER, filterOf } from './rules/rule-set.js';
import type { RuleSet } from './rules/rule-set.js';
import type { MinuteState } from './state.js';

/** What an explanation is about: one cell. */
export interface CellName {
  readonly adId: string;
  /** First millisecond of the minute, epoch ms UTC. */
  readonly minuteMs: number;
  /** `country:US`; the empty filter is the unfiltered total. */
  readonly filter: string;
}

/** What became of the clicks of one ad and minute: value = received - all that is taken off. */
export interface CellFlow {
  /** Records of the log below the cut. */
  readonly received: number;
  /** Of these, not the first with their ad, id and hour. */
  readonly duplicate: number;
  /** Of the rest, taken out by the rule set. */
  readonly filtered: number;
  /** Of the rest, with another value of the filter's dimension. 0 for the unfiltered total. */
  readonly notMatching: number;
  /** What is left: the value of the cell. */
  readonly value: number;
  /** Of the value: clicks that came after the hour had been cut, and were taken in later. */
  readonly late: number;
}

/** Records of one ad and minute that are alike in everything that decides what becomes of them. */
export interface RecordGroup {
  /** The field that the filter's dimension is read from. */
  readonly field: FieldValue;
  /** Not the first with its id in the hour. */
  readonly duplicate: boolean;
  /** At or above the cut of the hour. */
  readonly late: boolean;
  readonly records: number;
}

/**
 * Adds groups up to what became of them. A filter of a dimension that the rule set does not have
 * matches nothing: no cell of it exists.
 */
export function flowOf(groups: Iterable<RecordGroup>, ruleSet: RuleSet, filter: string): CellFlow {
  let received = 0;
  let duplicate = 0;
  let notMatching = 0;
  let late = 0;
  for (const group of groups) {
    received += group.records;
    if (group.duplicate) duplicate += group.records;
    else if (!matches(ruleSet, filter, group.field)) notMatching += group.records;
    else if (group.late) late += group.records;
  }
  const value = received - duplicate - notMatching;
  // A rule set of this version takes no click out: each has one value of every dimension.
  return { received, duplicate, filtered: 0, notMatching, value, late };
}

/** Whether a click with this value of the filter's field counts in cells of the filter. */
export function matches(ruleSet: RuleSet, filter: string, field: FieldValue): boolean {
  if (filter === TOTAL_FILTER) return true;
  const dimension = ruleSet.dimensions.find(({ name }) => name === parseFilter(filter).dimension);
  return dimension !== undefined && filterOf(dimension, field) === filter;
}

/** The field of the click that decides about a filter; null: none does. */
export function fieldOfFilter(ruleSet: RuleSet, filter: string): string | null {
  if (filter === TOTAL_FILTER) return null;
  const { dimension } = parseFilter(filter);
  return ruleSet.dimensions.find(({ name }) => name === dimension)?.field ?? null;
}

/** A click that counts in the cell, with its place in the log. */
export interface CountedClick {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly appendMs: number;
  readonly eventMs: number;
  readonly eventId: string;
  readonly late: boolean;
}

/** A cell computed again from the lake. */
export interface RecomputedCell {
  readonly flow: CellFlow;
  /** The first counted clicks by (append time, topic, partition, offset), as many as asked for. */
  readonly clicks: readonly CountedClick[];
}

/**
 * What came of computing a cell again. `verified` null: it could not be said, and `why` says why
 * (the archive has not come so far, records were lost).
 */
export interface CellVerification {
  readonly verified: boolean | null;
  readonly why: string | null;
  /** null where nothing could be computed. */
  readonly flow: CellFlow | null;
  readonly clicks: readonly CountedClick[];
  /** Files that were read, each checked against its size and SHA-256 first. */
  readonly filesRead: number;
}

/** A file that holds clicks of the hour and may hold clicks of the ad. */
export interface SourceFile {
  readonly id: number;
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly rows: number;
  /** Of these, clicks of the hour. */
  readonly hourRows: number;
  readonly bucket: number;
  readonly buckets: number;
  /** Offset ranges `[fromOffset, toOffset)` of the log that its rows are from. */
  readonly ranges: readonly SourceRange[];
}

export interface SourceRange {
  readonly topic: string;
  readonly partition: number;
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly rows: number;
}

/** An entry of the ledger about the hour. */
export interface HourPublication {
  readonly publication: number;
  readonly kind: string;
  /** The revision that it made, or left. */
  readonly revision: number;
  readonly atMs: number;
  readonly actor: string;
  readonly reason: string;
  /** Hash of the inputs of the generation it is about, and of its rule set. */
  readonly inputs: string;
  readonly ruleSet: string;
  /** The diff behind it, if there was one. */
  readonly reconciliation: {
    readonly id: number;
    readonly cellsDiffer: number;
    readonly drift: number;
    readonly decision: string;
  } | null;
}

/** Per event minute, all ads: what the counting of the hour knows without the lake. */
export interface MinuteTotals {
  readonly received: number;
  readonly counted: number;
  readonly duplicate: number;
  readonly filtered: number;
  /** Came after the cut: for a live minute they are not in the count. */
  readonly late: number;
}

/** Everything that the tables know about one cell, in one snapshot. */
export interface CellExplanation extends CellName {
  /** The publication number that was read. */
  readonly asOf: number;
  readonly value: number;
  readonly state: MinuteState;
  /** 0: counted live. */
  readonly revision: number;
  /** Hash of the rule set by which it is counted. */
  readonly ruleSet: string;
  /** Up to where the log is counted: the generation's cut, the hour's, or the stream's position. */
  readonly countedBy: 'generation' | 'cut' | 'stream';
  readonly cut: Cut;
  /** The cut of the hour, at which live counting ended; null: it goes on. */
  readonly hourCut: Cut | null;
  readonly generation: {
    readonly id: number;
    readonly inputs: string;
    readonly checksum: string;
    readonly builtBy: string;
    readonly builtAtMs: number;
  } | null;
  readonly minute: MinuteTotals;
  /** Late clicks of the cell: looked at by the served generation or a confirmation, and waiting. */
  readonly lateExamined: number;
  readonly lateWaiting: number;
  readonly files: readonly SourceFile[];
  readonly publications: readonly HourPublication[];
  /** Named causes for which the live count may differ from the exact one. */
  readonly causes: readonly { readonly cause: string; readonly detail: string }[];
}
