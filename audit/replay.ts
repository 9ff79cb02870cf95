import type pg from 'pg';
import { ReferenceCount, cellKey, type Cell, type Fate, type LogRecord } from '../core/count.js';
import { parseClick } from '../core/click/parse.js';
import { formatTime, type TimeRange } from '../core/range.js';
import type { RuleSet } from '../core/rules/rule-set.js';
import { hourOf, minuteOf, minuteOfHour } from '../core/time.js';
import { RowsByOffset, rowsOf } from './cursor.js';
import { FilteredClicks } from './filtered-audit.js';
import type { Example } from './report.js';
import type { AuditedPartition, Snapshot } from './snapshot.js';
import { rangeParameters } from './sql-check.js';
import type { LogTally } from './tally.js';

/** By which a click is compared whose hour has no row: the unfiltered total alone. */
const NO_DIMENSIONS: RuleSet = { version: 1, dimensions: [] };

type Clicked = Exclude<Fate, { kind: 'quarantined' }>;

interface LateRow {
  readonly log_offset: string;
  readonly hour: Date;
  readonly minute: number;
  readonly ad_id: string;
  readonly filters: string[];
}

interface QuarantineRow {
  readonly log_offset: string;
  readonly reason: string;
}

/**
 * Counts one partition of the log again, with the reference engine, and compares what became of each
 * record on the way. The engine is given no cuts: it then knows of every click whether an earlier
 * one of its hour was the same, on either side of the cut. First clicks at or above the cut are kept
 * apart in `lateCells`; they do not change what is below it, for caps count upwards.
 */
export class PartitionReplay {
  readonly lateCells = new Map<string, number>();
  /** Below the cut; to be read when all records were taken. */
  readonly filtered = new FilteredClicks();
  private readonly engine: ReferenceCount;
  private readonly lateRows: RowsByOffset<LateRow>;
  private readonly quarantineRows: RowsByOffset<QuarantineRow>;

  /** `isSilent`: of which hours the log cannot say everything any more. */
  constructor(
    client: pg.ClientBase,
    private readonly partition: AuditedPartition,
    private readonly snapshot: Snapshot,
    private readonly range: TimeRange | undefined,
    private readonly isSilent: (hourMs: number) => boolean,
    private readonly logStartOffset: number,
    private readonly tally: LogTally,
  ) {
    const rulesOf = (hourMs: number): RuleSet => this.rulesOf(hourMs);
    const first = [...snapshot.hours.keys()][0];
    const mostly = first === undefined ? NO_DIMENSIONS : rulesOf(first);
    this.engine = new ReferenceCount(mostly, { rulesOf });
    this.lateRows = new RowsByOffset(
      rowsOf<LateRow>(
        client,
        `select log_offset, hour, minute, ad_id, filters from late_clicks
          where slot = $3 and hour >= $1 and hour < $2 order by log_offset`,
        [...rangeParameters(range), partition.slot],
      ),
    );
    this.quarantineRows = new RowsByOffset(
      rowsOf<QuarantineRow>(
        client,
        `select log_offset, reason from quarantine where slot = $1 order by log_offset`,
        [partition.slot],
      ),
    );
  }

  /** By `cellKey`; to be read when all records were taken. */
  get cells(): Map<string, Cell> {
    return this.engine.cells;
  }

  async take(record: LogRecord): Promise<void> {
    const { tally } = this;
    const late = await this.rowAt(this.lateRows, record.offset, this.strayLate);
    const quarantined = await this.rowAt(this.quarantineRows, record.offset, this.strayQuarantine);
    tally.records++;
    const fate = this.fateOf(record);
    if (fate?.kind === 'quarantined') {
      tally.quarantined++;
      if (quarantined?.reason !== fate.reason) {
        tally.quarantine.add(() => ({
          ...this.at(record.offset),
          log: fate.reason,
          quarantine: quarantined?.reason ?? null,
        }));
      }
    } else if (quarantined !== null) {
      tally.quarantine.add(() => ({
        ...this.at(record.offset),
        log: 'a click',
        quarantine: quarantined.reason,
      }));
    }
    if (fate === null || fate.kind === 'quarantined') {
      if (late !== null) {
        tally.late.add(() => ({ ...this.at(record.offset), problem: 'late, but no such click' }));
      }
      return;
    }
    this.takeClick(record, fate, late);
  }

  /** After the last record: rows at positions that hold no record. */
  async finish(): Promise<void> {
    await this.lateRows.upTo(Infinity, this.strayLate);
    await this.quarantineRows.upTo(Infinity, this.strayQuarantine);
  }

  private async rowAt<Row extends { readonly log_offset: string }>(
    rows: RowsByOffset<Row>,
    offset: number,
    stray: (row: Row, offset: number) => void,
  ): Promise<Row | null> {
    await rows.upTo(offset, stray);
    return rows.at(offset);
  }

  /** Null: a click of an hour out of the range, of which nothing is remembered. */
  private fateOf(record: LogRecord): Fate | null {
    if (this.range !== undefined) {
      const quick = parseClick(record.value, record.appendMs, []);
      if (quick.kind === 'click') {
        const { eventMs } = quick.click;
        if (eventMs < this.range.fromMs || eventMs >= this.range.toMs) return null;
      }
    }
    return this.engine.add(record);
  }

  private takeClick(record: LogRecord, fate: Clicked, late: LateRow | null): void {
    const hourMs = hourOf(fate.click.eventMs);
    const hour = this.snapshot.hours.get(hourMs);
    const cut = hour?.cut === true ? (hour.cutAt.get(this.partition.slot) ?? 0) : Infinity;
    if (record.offset < cut) {
      // A late row below the cut is found by cut_positions.
      if (fate.kind === 'filtered') this.filtered.add(fate.click.eventMs, fate.reason);
      return;
    }
    this.tally.lateClicks++;
    const filters = this.engine.filtersOf(fate.click);
    if (fate.kind === 'counted') {
      const minuteMs = minuteOf(fate.click.eventMs);
      for (const filter of filters) {
        const key = cellKey(fate.click.adId, minuteMs, filter);
        this.lateCells.set(key, (this.lateCells.get(key) ?? 0) + 1);
      }
    }
    if (this.isSilent(hourMs)) return;
    if (late === null) {
      if (fate.kind === 'duplicate') return;
      this.tally.late.add(() => ({
        hour: formatTime(hourMs),
        ...this.at(record.offset),
        problem: 'at or above the cut and no duplicate, but not recorded late',
      }));
    } else this.compareLate(record.offset, fate, late, filters.slice(1));
  }

  private compareLate(
    offset: number,
    { click }: Clicked,
    row: LateRow,
    filters: readonly string[],
  ): void {
    const same =
      row.hour.getTime() === hourOf(click.eventMs) &&
      row.minute === minuteOfHour(click.eventMs) &&
      row.ad_id === click.adId &&
      [...row.filters].sort().join('\n') === [...filters].sort().join('\n');
    if (same) return;
    this.tally.late.add(() => ({
      ...this.at(offset),
      problem: 'recorded late as another click than the log holds',
      recorded: [formatTime(row.hour.getTime()), row.minute, row.ad_id, ...row.filters],
      log: [formatTime(minuteOf(click.eventMs)), click.adId, ...filters],
    }));
  }

  private rulesOf(hourMs: number): RuleSet {
    const pin = this.snapshot.hours.get(hourMs)?.pin;
    return (pin === undefined ? undefined : this.snapshot.ruleSets.get(pin)) ?? NO_DIMENSIONS;
  }

  private readonly strayLate = (_: LateRow, offset: number): void => {
    if (!this.isInLog(offset)) return;
    this.tally.late.add(() => ({ ...this.at(offset), problem: 'late, but no record is there' }));
  };

  private readonly strayQuarantine = (row: QuarantineRow, offset: number): void => {
    if (!this.isInLog(offset)) return;
    this.tally.quarantine.add(() => ({
      ...this.at(offset),
      log: null,
      quarantine: row.reason,
    }));
  };

  /** Retention may have removed what lies below; what lies above is found without the log. */
  private isInLog(offset: number): boolean {
    return offset >= this.logStartOffset && offset < this.partition.nextOffset;
  }

  private at(offset: number): Example {
    return { topic: this.partition.topic, partition: this.partition.partition, offset };
  }
}
