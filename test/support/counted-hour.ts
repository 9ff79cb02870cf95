import type pg from 'pg';
import { isBelowCut } from '../../core/cut.js';
import type { Cut } from '../../core/cut.js';
import type { GenerationDraft, LoadedGeneration } from '../../core/generation-draft.js';
import { Meaning } from '../../core/rules/meaning.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { loadGeneration } from '../../store/generations/load.js';
import { cellRows, draftOf, storeHour, storeRules } from './cell-rows.js';
import type { SparseRow } from './cell-rows.js';
import type { TestDatabase } from './stack.js';

/** A click of the hour on the log; partitions are 0 and 1 of topic `t`. */
export interface LoggedClick {
  readonly partition: number;
  readonly offset: number;
  readonly adId: string;
  readonly eventId: string;
  readonly minute: number;
  /** One value per dimension of the rule set, as in the click's fields. */
  readonly values: readonly string[];
}

export const TOPIC = 't';

export function cutAt(...nextOffsets: number[]): Cut {
  return nextOffsets.map((nextOffset, partition) => ({ topic: TOPIC, partition, nextOffset }));
}

/**
 * An hour as stream and archive leave it in Postgres, written from a list of clicks by the rules of
 * the words (docs: a duplicate has the ad, event id and hour of one before it in its partition). The
 * same list gives its generations. Clicks of other hours are the offsets that no click has.
 */
export class CountedHour {
  private constructor(
    private readonly database: TestDatabase,
    readonly hourMs: number,
    readonly pin: RuleSet,
    readonly cut: Cut,
    readonly clicks: readonly LoggedClick[],
  ) {}

  static async write(
    database: TestDatabase,
    of: { hourMs: number; pin: RuleSet; cut: Cut; readUpTo: Cut; clicks: readonly LoggedClick[] },
  ): Promise<CountedHour> {
    const hour = new CountedHour(database, of.hourMs, of.pin, of.cut, of.clicks);
    await storeHour(database, of.hourMs, of.pin, of.cut);
    await hour.writeBooks(of.readUpTo);
    await hour.writeCells();
    return hour;
  }

  /** Loads the generation at a cut under a rule set. */
  async load(client: pg.Client, ruleSet: RuleSet, cut: Cut): Promise<LoadedGeneration> {
    await storeRules(this.database, ruleSet);
    const { draft, rows } = this.draft(ruleSet, cut);
    return loadGeneration(client, draft, cellRows(rows));
  }

  draft(ruleSet: RuleSet, cut: Cut): { draft: GenerationDraft; rows: SparseRow[] } {
    const below = this.clicks.filter((click) => isBelowCut(cut, { topic: TOPIC, ...click }));
    const { counted, duplicate } = firsts(below);
    const rows = cellsOf(counted, ruleSet);
    const { hourMs } = this;
    return {
      draft: draftOf({ hourMs, ruleSet, cut, rows, duplicate: perMinute(duplicate) }),
      rows,
    };
  }

  private async writeBooks(readUpTo: Cut): Promise<void> {
    const hour = new Date(this.hourMs);
    const { pool } = this.database;
    for (const { partition, nextOffset } of readUpTo) {
      const slot = partition + 1;
      await pool.query('update stream_progress set next_offset = $2 where slot = $1', [
        slot,
        nextOffset,
      ]);
      await pool.query('insert into archive_progress (slot, next_offset) values ($1, $2)', [
        slot,
        nextOffset,
      ]);
      const { counted, duplicate, late } = this.fatesOf(partition);
      const all = [...counted, ...duplicate, ...late];
      await pool.query('insert into minute_flow values ($1, $2, $3, $4, $5, $6)', [
        hour,
        slot,
        minutes(counted),
        minutes(duplicate),
        minutes([]),
        minutes(late),
      ]);
      await pool.query('insert into archive_flow values ($1, $2, $3)', [hour, slot, minutes(all)]);
      await pool.query(
        `insert into flushes (slot, from_offset, to_offset, epoch, counted, duplicate, filtered,
                              late, quarantined, lost, control)
         values ($1, 0, $2, 1, 0, 0, 0, 0, 0, 0, 0)`,
        [slot, nextOffset],
      );
      for (const click of late) await this.writeLate(click);
    }
  }

  private async writeLate(click: LoggedClick): Promise<void> {
    await this.database.pool.query('insert into late_clicks values ($1, $2, $3, $4, $5, $6)', [
      new Date(this.hourMs),
      click.partition + 1,
      click.offset,
      click.minute,
      click.adId,
      filtersOfClick(click, this.pin).slice(1),
    ]);
  }

  private async writeCells(): Promise<void> {
    for (const partition of [0, 1]) {
      for (const [filter, adId, counts] of cellsOf(this.fatesOf(partition).counted, this.pin)) {
        await this.database.pool.query('insert into live_cells values ($1, $2, $3, $4, $5)', [
          new Date(this.hourMs),
          filter,
          adId,
          partition + 1,
          Array.from({ length: 60 }, (_, m) => counts[m] ?? 0),
        ]);
      }
    }
  }

  private fatesOf(partition: number): Record<'counted' | 'duplicate' | 'late', LoggedClick[]> {
    const mine = this.clicks.filter((click) => click.partition === partition);
    const inside = (click: LoggedClick): boolean =>
      isBelowCut(this.cut, { topic: TOPIC, ...click });
    return { ...firsts(mine.filter(inside)), late: mine.filter((click) => !inside(click)) };
  }
}

function firsts(clicks: readonly LoggedClick[]): Record<'counted' | 'duplicate', LoggedClick[]> {
  const seen = new Set<string>();
  const counted: LoggedClick[] = [];
  const duplicate: LoggedClick[] = [];
  for (const click of [...clicks].sort(
    (a, b) => a.partition - b.partition || a.offset - b.offset,
  )) {
    const id = `${click.adId}\n${click.eventId}`;
    (seen.has(id) ? duplicate : counted).push(click);
    seen.add(id);
  }
  return { counted, duplicate };
}

function filtersOfClick({ values }: LoggedClick, ruleSet: RuleSet): readonly string[] {
  const fields = ruleSet.dimensions.map((one) => ('field' in one ? one.field : one.name));
  const text = (name: string): string => values[fields.indexOf(name)]!;
  return new Meaning(ruleSet).judge((name) => ({ kind: 'value', text: text(name) })).filters;
}

function cellsOf(clicks: readonly LoggedClick[], ruleSet: RuleSet): SparseRow[] {
  const rows = new Map<string, [string, string, Record<number, number>]>();
  for (const click of clicks) {
    for (const filter of filtersOfClick(click, ruleSet)) {
      const key = `${filter}\n${click.adId}`;
      const row = rows.get(key) ?? [filter, click.adId, {}];
      row[2][click.minute] = (row[2][click.minute] ?? 0) + 1;
      rows.set(key, row);
    }
  }
  const order = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
  return [...rows.values()].sort((a, b) => order(a[0], b[0]) || order(a[1], b[1]));
}

function perMinute(clicks: readonly LoggedClick[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { minute } of clicks) counts[minute] = (counts[minute] ?? 0) + 1;
  return counts;
}

function minutes(clicks: readonly LoggedClick[]): number[] {
  const counts = perMinute(clicks);
  return Array.from({ length: 60 }, (_, minute) => counts[minute] ?? 0);
}
