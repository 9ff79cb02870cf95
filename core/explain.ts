import type { Click } from './click/click.js';
import type { Cut } from './cut.js';
import { RulesInOrder } from './rules/in-order.js';
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
  /** These by the reason that the rule set gives; only reasons that it gave, by name. */
  readonly filteredBy: Readonly<Record<string, number>>;
  /** Of the rest, with another value of the filter's dimension. 0 for the unfiltered total. */
  readonly notMatching: number;
  /** What is left: the value of the cell. */
  readonly value: number;
  /** Of the value: clicks that came after the hour had been cut, and were taken in later. */
  readonly late: number;
}

/** A record of the ad and minute, with what its place in the log says of it. */
export interface CellRecord {
  /** With the fields of `CellCount.fields`. */
  readonly click: Click;
  /** `partitionKey` of where it is. */
  readonly partition: string;
  /** Not the first with its id in the hour. */
  readonly duplicate: boolean;
  /** At or above the cut of the hour. */
  readonly late: boolean;
}

/**
 * Adds up what became of the records of one ad and minute. A filter of a dimension that the rule set
 * does not have matches nothing: no cell of it exists.
 */
export class CellCount {
  private readonly rules: RulesInOrder;
  private readonly filteredBy = new Map<string, number>();
  private received = 0;
  private duplicate = 0;
  private notMatching = 0;
  private value = 0;
  private late = 0;

  constructor(
    ruleSet: RuleSet,
    private readonly filter: string,
  ) {
    this.rules = new RulesInOrder(ruleSet);
  }

  /** The fields that the rule set reads, in the order in which a click has to have them. */
  get fields(): readonly string[] {
    return this.rules.fields;
  }

  /** Takes the next record of a partition, by offset, and says whether it counts in the cell. */
  add({ click, partition, duplicate, late }: CellRecord): boolean {
    this.received++;
    if (duplicate) {
      this.duplicate++;
      return false;
    }
    const { reason, filters } = this.rules.judge(click, partition);
    if (reason !== null) {
      this.filteredBy.set(reason, (this.filteredBy.get(reason) ?? 0) + 1);
      return false;
    }
    if (!filters.includes(this.filter)) {
      this.notMatching++;
      return false;
    }
    this.value++;
    if (late) this.late++;
    return true;
  }

  flow(): CellFlow {
    const { received, duplicate, notMatching, value, late } = this;
    const reasons = [...this.filteredBy].sort(([a], [b]) => (a < b ? -1 : 1));
    const filtered = reasons.reduce((sum, [, records]) => sum + records, 0);
    const filteredBy = Object.fromEntries(reasons);
    return { received, duplicate, filtered, filteredBy, notMatching, value, late };
  }
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
  /** These by the reason that the rule set gave. */
  readonly filteredBy: Readonly<Record<string, number>>;
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
