import { countClicks } from '../../../core/count.js';
import type { LogRecord } from '../../../core/count.js';
import type { Cut } from '../../../core/cut.js';
import { CellsChecksum } from '../../../core/generation.js';
import { partitionKey } from '../../../core/position.js';
import type { RuleSet } from '../../../core/rules/rule-set.js';
import { hourOf, minuteOfHour, MINUTES_PER_HOUR } from '../../../core/time.js';
import { Books } from './books.js';
import type { Flow } from '../../../batch/task.js';
import { inLogOrder } from './log.js';

/** What is to be counted: one hour of a log below a cut. */
export interface Question {
  readonly log: readonly LogRecord[];
  readonly hourMs: number;
  readonly ruleSet: RuleSet;
  readonly cut: Cut;
}

/** Cells that are not 0, as `filter TAB ad_id TAB minute` → count, and what became of the clicks. */
export interface Answer {
  readonly cells: ReadonlyMap<string, number>;
  readonly flow: Flow;
}

/** Anything that counts: all of them have to give the same answer to every question. */
export interface Engine {
  readonly name: string;
  readonly count: (question: Question) => Promise<Answer>;
}

export function cellName(filter: string, adId: string, minute: number): string {
  return `${filter}\t${adId}\t${String(minute)}`;
}

/** The checksum of an answer's cells: made from rows in the canonical order, as for a generation. */
export function checksumOf({ cells }: Answer): string {
  const rows = new Map<string, Int32Array>();
  for (const [cell, count] of cells) {
    const [filter, adId, minute] = cell.split('\t') as [string, string, string];
    const row = `${filter}\t${adId}`;
    if (!rows.has(row)) rows.set(row, new Int32Array(MINUTES_PER_HOUR));
    rows.get(row)![Number(minute)] = count;
  }
  const checksum = new CellsChecksum();
  const sorted = [...rows].map(([row, counts]) => ({ key: row.split('\t'), counts }));
  const bytewise = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
  sorted.sort((a, b) => bytewise(a.key[0]!, b.key[0]!) || bytewise(a.key[1]!, b.key[1]!));
  for (const { key, counts } of sorted) checksum.add(key[0]!, key[1]!, counts);
  return checksum.digest();
}

/** The reference: plain maps and exact strings. */
export const coreEngine: Engine = {
  name: 'core',
  count: async ({ log, hourMs, ruleSet, cut }) => {
    const records = inLogOrder(log);
    const partitions = new Map(cut.map((entry) => [partitionKey(entry), entry.nextOffset]));
    const cuts = new Map([[hourMs, partitions]]);
    const { cells, fates } = countClicks(records, ruleSet, { cuts });
    const books = new Books();
    for (const fate of fates) {
      if (fate.kind === 'quarantined' || fate.kind === 'late') continue;
      if (hourOf(fate.click.eventMs) !== hourMs) continue;
      const minute = minuteOfHour(fate.click.eventMs);
      if (fate.kind === 'filtered') books.filtered(fate.reason, minute);
      else books.add(fate.kind, minute);
    }
    const ofHour = [...cells.values()].filter((cell) => hourOf(cell.minuteMs) === hourMs);
    const named = ofHour.map(
      ({ filter, adId, minuteMs, count }) =>
        [cellName(filter, adId, minuteOfHour(minuteMs)), count] as const,
    );
    return { cells: new Map(named), flow: books.flow };
  },
};
