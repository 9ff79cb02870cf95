import type { Assignment } from '../store/progress.js';
import type { CauseRow, LossRow, QuarantineRow } from '../store/flush-body.js';
import { CapCounts } from './cap-counts.js';
import type { CompiledRules } from './compiled-rules.js';
import { IdSet } from './id-set.js';
import type { TopicPartition } from './log-source.js';

/**
 * One event hour as one partition knows it. `ids` is the dedupe memory: null once the hour is cut
 * (nothing is counted any more) or its memory was given up for the byte bound.
 */
export interface PartitionHour {
  readonly hourMs: number;
  rules: CompiledRules;
  /** First offset of a click of this hour: the memory is rebuilt from here. */
  readonly firstOffset: number;
  cut: boolean;
  ids: IdSet | null;
  /** How many clicks its caps have seen; null where it has none, or with `ids`. */
  capped: CapCounts | null;
  /** Index of its group in the flush buffer, -1 while nothing is buffered. */
  group: number;
}

/** Fates of offsets since the last commit. */
export interface FateCounts {
  counted: number;
  duplicate: number;
  filtered: number;
  late: number;
  quarantined: number;
  lost: number;
  control: number;
}

function noFates(): FateCounts {
  return {
    ...{ counted: 0, duplicate: 0, filtered: 0, late: 0 },
    ...{ quarantined: 0, lost: 0, control: 0 },
  };
}

/** What the worker believes about one partition it owns. Thrown away whenever a flush is refused. */
export class PartitionState {
  readonly topic: string;
  readonly partition: number;
  readonly slot: number;
  epoch: number;
  /** `next_offset` in Postgres as of our last commit. */
  committedOffset: number;
  /** The next offset that we have not read. */
  position: number;
  /** Records below it were decided before: they only rebuild the memory. */
  readonly countFrom: number;
  maxEventMs: number;
  logEndOffset: number | null = null;
  /** Read to the end, and nothing arrived since. */
  atEnd = false;
  fates: FateCounts = noFates();
  losses: LossRow[] = [];
  quarantine: QuarantineRow[] = [];
  causes: CauseRow[] = [];
  readonly hours = new Map<number, PartitionHour>();
  /** Hours whose memory this slot has given up, now or in an earlier life. */
  readonly overflowed: Set<number>;

  constructor(tp: TopicPartition, assignment: Assignment, overflowed: Set<number>) {
    this.topic = tp.topic;
    this.partition = tp.partition;
    this.slot = assignment.slot;
    this.epoch = assignment.epoch;
    this.committedOffset = assignment.nextOffset;
    this.countFrom = assignment.nextOffset;
    this.position = Math.min(assignment.rebuildFrom, assignment.nextOffset);
    this.maxEventMs = assignment.maxEventMs ?? -Infinity;
    this.overflowed = overflowed;
  }

  get rebuilding(): boolean {
    return this.position < this.countFrom;
  }

  get moved(): boolean {
    return this.position > this.committedOffset;
  }

  addHour(hourMs: number, rules: CompiledRules, cut: boolean): PartitionHour {
    const remembers = !cut && !this.overflowed.has(hourMs);
    const hour: PartitionHour = {
      hourMs,
      rules,
      firstOffset: this.position,
      cut,
      ids: remembers ? new IdSet() : null,
      capped: remembers && rules.caps.length > 0 ? new CapCounts() : null,
      group: -1,
    };
    this.hours.set(hourMs, hour);
    return hour;
  }

  /** The lowest offset from which the memory of the uncut hours can be rebuilt. */
  rebuildFrom(): number {
    let from = this.position;
    for (const hour of this.hours.values()) {
      if (hour.ids !== null && hour.firstOffset < from) from = hour.firstOffset;
    }
    return from;
  }

  /**
   * The log continues at `offset` instead of `position`. What is missing below `countFrom` was
   * decided before and is missing from the memory only; the rest was never read: a loss.
   */
  skipTo(offset: number, reason: LossRow['reason']): void {
    if (this.position < this.countFrom) {
      const to = Math.min(offset, this.countFrom);
      this.causes.push({
        slot: this.slot,
        hourMs: null,
        cause: 'rebuild_loss',
        detail: `offsets ${String(this.position)} to ${String(to)} of ${this.topic}/${String(this.partition)} are gone from the log`,
      });
    }
    const from = Math.max(this.position, this.countFrom);
    if (offset > from) {
      this.losses.push({ slot: this.slot, fromOffset: from, toOffset: offset, reason });
      this.fates.lost += offset - from;
    }
    this.position = offset;
  }

  /** Offsets that hold no record (transaction markers, aborted records). */
  skipControl(from: number, to: number): void {
    if (to <= this.position) return;
    const fresh = Math.max(from, this.position, this.countFrom);
    if (to > fresh) this.fates.control += to - fresh;
    this.position = to;
  }

  /** After a commit up to `position`. */
  committed(): void {
    this.committedOffset = this.position;
    this.fates = noFates();
    this.losses = [];
    this.quarantine = [];
    this.causes = [];
    for (const hour of this.hours.values()) hour.group = -1;
  }
}
