import type { CellRow, GenerationDraft } from '../../core/generation-draft.js';
import type { Cut } from '../../core/cut.js';
import { hashRuleSet, ruleSetBody } from '../../core/rules/rule-set.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import type { TestDatabase } from './stack.js';

/** filter, ad, minute → count; in canonical order. */
export type SparseRow = readonly [
  filter: string,
  adId: string,
  counts: Readonly<Record<number, number>>,
];

export function cellRow([filter, adId, sparse]: SparseRow): CellRow {
  return { filter, adId, counts: Int32Array.from({ length: 60 }, (_, m) => sparse[m] ?? 0) };
}

export async function* cellRows(rows: Iterable<SparseRow>): AsyncGenerator<CellRow> {
  for (const row of rows) yield cellRow(row);
}

/** Rows of clicks, each given as its ad, minute and one value per dimension; canonical order. */
export function rowsOf(
  ruleSet: RuleSet,
  clicks: Iterable<readonly [adId: string, minute: number, ...values: string[]]>,
): SparseRow[] {
  const rows = new Map<string, [string, string, Record<number, number>]>();
  for (const [adId, minute, ...values] of clicks) {
    const filters = ruleSet.dimensions.map(({ name }, i) => `${name}:${values[i] ?? 'unknown'}`);
    for (const filter of ['', ...filters]) {
      const row = rows.get(`${filter}\n${adId}`) ?? [filter, adId, {}];
      row[2][minute] = (row[2][minute] ?? 0) + 1;
      rows.set(`${filter}\n${adId}`, row);
    }
  }
  const order = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
  return [...rows.values()].sort((a, b) => order(a[0], b[0]) || order(a[1], b[1]));
}

export interface DraftOf {
  readonly hourMs: number;
  readonly ruleSet: RuleSet;
  readonly cut?: Cut;
  readonly rows: readonly SparseRow[];
  /** Duplicates per minute, beside those counted. */
  readonly duplicate?: Readonly<Record<number, number>>;
  readonly fileIds?: readonly number[];
}

/** A draft whose flow is what its rows come to. */
export function draftOf(of: DraftOf): GenerationDraft {
  const counted = new Array<number>(60).fill(0);
  for (const [filter, , counts] of of.rows) {
    if (filter !== '') continue;
    for (const [minute, n] of Object.entries(counts)) counted[Number(minute)]! += n;
  }
  const duplicate = counted.map((_, minute) => of.duplicate?.[minute] ?? 0);
  const received = counted.map((n, minute) => n + duplicate[minute]!);
  const filtered = new Array<number>(60).fill(0);
  return {
    inputs: { hourMs: of.hourMs, ruleSet: hashRuleSet(of.ruleSet), cut: of.cut ?? [] },
    ruleSet: of.ruleSet,
    flow: { received, counted, duplicate, filtered, filteredBy: {} },
    fileIds: of.fileIds ?? [],
    builtBy: 'test',
  };
}

/** A stored rule set, an hour that pins it and is cut, and partitions 0 and 1 of topic `t`. */
export async function storeHour(
  { pool }: TestDatabase,
  hourMs: number,
  ruleSet: RuleSet,
  cut: Cut = [],
): Promise<void> {
  const hour = new Date(hourMs);
  await storeRules({ pool }, ruleSet);
  await pool.query(
    `insert into stream_progress (topic, partition) values ('t', 0), ('t', 1)
     on conflict do nothing`,
  );
  await pool.query(
    `insert into hours (hour, rule_set, state, cut_at) values ($1, $2, 'cut', now())`,
    [hour, hashRuleSet(ruleSet)],
  );
  for (const { topic, partition, nextOffset } of cut) {
    await pool.query(
      `insert into hour_cuts (hour, slot, next_offset)
       select $1, slot, $4 from stream_progress where topic = $2 and partition = $3`,
      [hour, topic, partition, nextOffset],
    );
  }
}

export async function storeRules(
  { pool }: Pick<TestDatabase, 'pool'>,
  ruleSet: RuleSet,
): Promise<void> {
  await pool.query('insert into rule_sets (hash, body) values ($1, $2) on conflict do nothing', [
    hashRuleSet(ruleSet),
    ruleSetBody(ruleSet),
  ]);
}
