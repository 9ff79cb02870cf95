import { MINUTES_PER_HOUR } from '../core/time.js';
import type { FlushBody, LateRow } from '../store/flush-body.js';
import { CellBuffer } from './cell-buffer.js';
import type { FilterTable } from './compiled-rules.js';
import type { ByteInterner } from './interner.js';
import { FLUSH_HOURS_MAX, FLUSH_QUARANTINE_BYTES_MAX, FLUSH_ROWS_MAX } from './options.js';
import type { PartitionHour, PartitionState } from './partition-state.js';
import { PositionLog } from './position-log.js';

/** What is buffered of one (partition, hour): counts per minute. */
class Group {
  readonly counted = minutes();
  readonly duplicate = minutes();
  readonly late = minutes();
  /** By index of the reason in the hour's rules; most have none. */
  readonly filtered = new Map<number, Int32Array>();

  constructor(
    readonly state: PartitionState,
    readonly hour: PartitionHour,
  ) {}

  filteredBy(reason: number): Int32Array {
    const known = this.filtered.get(reason);
    if (known !== undefined) return known;
    const fresh = minutes();
    this.filtered.set(reason, fresh);
    return fresh;
  }

  /** Clicks that are not to be counted after all, since the hour is cut: all but duplicates. */
  allLate(): Int32Array {
    return [this.counted, ...this.filtered.values()].reduce(sum, this.late);
  }
}

/** Texts of the integers in the buffer. */
export interface Texts {
  readonly ads: ByteInterner;
  readonly filters: FilterTable;
}

const NONE = minutes();

/**
 * Everything since the last commit. Nothing in here is true before the commit: a click counted here
 * may still be late, and the whole buffer is thrown away when the fence refuses it.
 */
export class FlushBuffer {
  readonly cells = new CellBuffer();
  readonly counted: PositionLog;
  readonly filtered: PositionLog;
  readonly late: PositionLog;
  private quarantined = 0;
  private quarantineBytes = 0;
  private groups: Group[] = [];

  constructor(private readonly width: number) {
    this.counted = new PositionLog(width);
    this.filtered = new PositionLog(width);
    this.late = new PositionLog(width);
  }

  /** The group of a (partition, hour), opened at its first click since the last commit. */
  groupOf(state: PartitionState, hour: PartitionHour): number {
    if (hour.group >= 0) return hour.group;
    hour.group = this.groups.length;
    this.groups.push(new Group(state, hour));
    return hour.group;
  }

  group(index: number): Group {
    return this.groups[index]!;
  }

  /** Hours with counted clicks of `states`, ascending. */
  countedHours(states: ReadonlySet<PartitionState>): number[] {
    const hours = new Set<number>();
    for (const group of this.groups) {
      if (!group.hour.cut && states.has(group.state)) hours.add(group.hour.hourMs);
    }
    return [...hours].sort((a, b) => a - b);
  }

  /**
   * True if the cells of `states` were built with the rule set that each hour pins. What they were
   * built with stands in the hour, decided at its first click; a pin may have been learned since.
   */
  builtBy(pins: ReadonlyMap<number, string>, states: ReadonlySet<PartitionState>): boolean {
    return this.groups.every(
      ({ state, hour }) => !states.has(state) || pins.get(hour.hourMs) === hour.rules.hash,
    );
  }

  /** Nothing is buffered that refers to a text. */
  get isEmpty(): boolean {
    return this.clicks === 0;
  }

  private get clicks(): number {
    return this.counted.size + this.filtered.size + this.late.size;
  }

  /** Hours of all that is buffered. */
  hours(): number[] {
    return [...new Set(this.groups.map((group) => group.hour.hourMs))];
  }

  /** A record that is no click: its row is with its partition, its size counts here. */
  addQuarantined(bytes: number): void {
    this.quarantined++;
    this.quarantineBytes += bytes;
  }

  /** True once one of the bounds of a flush is reached (I13). */
  isFull(recordsMax: number): boolean {
    return (
      this.clicks + this.quarantined >= recordsMax ||
      this.cells.rows >= FLUSH_ROWS_MAX ||
      this.groups.length >= FLUSH_HOURS_MAX ||
      this.quarantineBytes >= FLUSH_QUARANTINE_BYTES_MAX
    );
  }

  /** After a commit. */
  clear(): void {
    this.cells.clear();
    this.counted.clear();
    this.filtered.clear();
    this.late.clear();
    this.quarantined = 0;
    this.quarantineBytes = 0;
    for (const group of this.groups) group.hour.group = -1;
    this.groups = [];
  }

  /**
   * What to write, now that it is known which hours are cut: the cells of a cut hour are left out
   * and its clicks are late instead. Partitions that are not in `states` were lost meanwhile and
   * are left out altogether.
   */
  body(
    states: ReadonlySet<PartitionState>,
    cutHours: ReadonlySet<number>,
    texts: Texts,
  ): FlushBody {
    const live = this.groups.map((g) => states.has(g.state));
    // Whoever learned of the cut first: what was buffered as counted before that is late.
    const turned = this.groups.map((g) => cutHours.has(g.hour.hourMs));
    return {
      cells: this.cellRows(live, turned, texts),
      late: this.lateRows(live, turned, texts),
      quarantine: [...states].flatMap((state) => state.quarantine),
      losses: [...states].flatMap((state) => state.losses),
      causes: [...states].flatMap((state) => state.causes),
      ranges: [...states].map((state) => this.range(state, turned)),
      minutes: this.groups.flatMap((g, i) => (live[i] ? [minutesOf(g, turned[i]!)] : [])),
    };
  }

  private range(state: PartitionState, turned: readonly boolean[]): FlushBody['ranges'][number] {
    let { counted, filtered, late } = state.fates;
    this.groups.forEach((g, i) => {
      if (!turned[i] || g.state !== state) return;
      const ofCounted = total(g.counted);
      const ofFiltered = [...g.filtered.values()].reduce((n, one) => n + total(one), 0);
      counted -= ofCounted;
      filtered -= ofFiltered;
      late += ofCounted + ofFiltered;
    });
    return {
      slot: state.slot,
      epoch: state.epoch,
      fromOffset: state.committedOffset,
      toOffset: state.position,
      ...state.fates,
      ...{ counted, filtered, late },
    };
  }

  private cellRows(
    live: readonly boolean[],
    turned: readonly boolean[],
    { ads, filters }: Texts,
  ): FlushBody['cells'] {
    const { cells } = this;
    const n = cells.rows;
    const column = (): Int32Array => new Int32Array(n);
    const rows = {
      hoursMs: new Float64Array(n),
      filters: { bytes: filters.texts.text(), starts: column(), ends: column() },
      ads: { bytes: ads.text(), starts: column(), ends: column() },
      slots: column(),
      counts: cells.counts(),
    };
    const all = live.every(Boolean) && !turned.some(Boolean);
    if (!all) rows.counts = new Int32Array(n * MINUTES_PER_HOUR);
    let out = 0;
    for (let row = 0; row < n; row++) {
      const index = cells.groupOf(row);
      if (!live[index] || turned[index]) continue;
      const group = this.groups[index]!;
      rows.hoursMs[out] = group.hour.hourMs;
      rows.slots[out] = group.state.slot;
      const filter = cells.filterOf(row);
      rows.filters.starts[out] = filters.texts.start(filter);
      rows.filters.ends[out] = filters.texts.end(filter);
      const ad = cells.adOf(row);
      rows.ads.starts[out] = ads.start(ad);
      rows.ads.ends[out] = ads.end(ad);
      if (!all) {
        const from = row * MINUTES_PER_HOUR;
        const counts = cells.counts().subarray(from, from + MINUTES_PER_HOUR);
        rows.counts.set(counts, out * MINUTES_PER_HOUR);
      }
      out++;
    }
    return { rows: out, ...rows };
  }

  private lateRows(live: readonly boolean[], turned: readonly boolean[], texts: Texts): LateRow[] {
    const rows: LateRow[] = [];
    const collect = (log: PositionLog, wanted: (group: number) => boolean): void => {
      for (let i = 0; i < log.size; i++) {
        const index = log.group(i);
        if (!wanted(index)) continue;
        const group = this.groups[index]!;
        const filters: string[] = [];
        for (let d = 0; d < this.width; d++) {
          const filter = log.filter(i, d);
          if (filter >= 0) filters.push(texts.filters.texts.toString(filter));
        }
        rows.push({
          hourMs: group.hour.hourMs,
          slot: group.state.slot,
          offset: log.offset(i),
          minute: log.minute(i),
          adId: texts.ads.toString(log.ad(i)),
          filters,
        });
      }
    };
    collect(this.late, (index) => live[index]!);
    if (!turned.some(Boolean)) return rows;
    const isTurned = (index: number): boolean => live[index]! && turned[index]!;
    collect(this.counted, isTurned);
    collect(this.filtered, isTurned);
    return rows;
  }
}

/** What became of a group's clicks, per minute; `turned`: its hour was found cut. */
function minutesOf(group: Group, turned: boolean): FlushBody['minutes'][number] {
  const { hour, state, counted, duplicate, late, filtered } = group;
  const at = { hourMs: hour.hourMs, slot: state.slot, duplicate };
  if (turned) {
    return { ...at, counted: NONE, filtered: NONE, filteredBy: new Map(), late: group.allLate() };
  }
  const { reasons } = hour.rules;
  return {
    ...{ ...at, counted, late, filtered: [...filtered.values()].reduce(sum, NONE) },
    filteredBy: new Map([...filtered].map(([reason, counts]) => [reasons[reason]!, counts])),
  };
}

function minutes(): Int32Array {
  return new Int32Array(MINUTES_PER_HOUR);
}

function sum(a: Int32Array, b: Int32Array): Int32Array {
  return a.map((value, i) => value + b[i]!);
}

function total(counts: Int32Array): number {
  return counts.reduce((n, count) => n + count, 0);
}
