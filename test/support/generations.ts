import type pg from 'pg';
import { normalCut } from '../../core/cut.js';
import type { Cut } from '../../core/cut.js';
import { CellsChecksum, hashInputs } from '../../core/generation.js';
import { hashRuleSet, ruleSetBody } from '../../core/rules/rule-set.js';
import type { RuleSet } from '../../core/rules/rule-set.js';

export interface SeedGeneration {
  readonly hourMs: number;
  readonly ruleSet: RuleSet;
  /** Default: nothing was read. */
  readonly cut?: Cut;
  /** In canonical order; minute → count. */
  readonly cells: readonly (readonly [
    filter: string,
    adId: string,
    counts: Readonly<Record<number, number>>,
  ])[];
}

/**
 * Writes a generation into the tables as they are, without the load that makes real ones: for tests
 * of what comes after. Its hour and its partitions come into being if they are not there.
 */
export async function seedGeneration(
  db: pg.Pool | pg.Client,
  seed: SeedGeneration,
): Promise<number> {
  const hour = new Date(seed.hourMs);
  const ruleSet = hashRuleSet(seed.ruleSet);
  const cut = normalCut(seed.cut ?? []);
  await db.query('insert into rule_sets (hash, body) values ($1, $2) on conflict do nothing', [
    ruleSet,
    ruleSetBody(seed.ruleSet),
  ]);
  await db.query(
    `insert into hours (hour, rule_set, state, cut_at) values ($1, $2, 'cut', now())
     on conflict do nothing`,
    [hour, ruleSet],
  );
  const checksum = new CellsChecksum();
  const counted = new Array<number>(60).fill(0);
  const rows = seed.cells.map(([filter, adId, sparse]) => {
    const counts = Array.from({ length: 60 }, (_, minute) => sparse[minute] ?? 0);
    checksum.add(filter, adId, counts);
    if (filter === '') counts.forEach((n, minute) => (counted[minute]! += n));
    return { filter, adId, counts };
  });
  const none = new Array<number>(60).fill(0);
  const inserted = await db.query<{ id: string }>(
    `insert into generations (hour, rule_set, inputs_hash, checksum, rows, cells, received, counted,
                              duplicate, filtered, built_by)
     values ($1, $2, $3, $4, $5, $6, $7, $7, $8, $8, 'test') returning id`,
    [
      hour,
      ruleSet,
      hashInputs({ hourMs: seed.hourMs, ruleSet, cut }),
      checksum.digest(),
      rows.length,
      checksum.cells,
      counted,
      none,
    ],
  );
  const id = Number(inserted.rows[0]!.id);
  for (const { topic, partition, nextOffset } of cut) {
    await db.query(
      'insert into stream_progress (topic, partition) values ($1, $2) on conflict do nothing',
      [topic, partition],
    );
    const values = [id, topic, partition, nextOffset];
    const slot = 'select slot from stream_progress where topic = $2 and partition = $3';
    await db.query(`insert into generation_cuts values ($1, (${slot}), $4)`, values);
    await db.query(`insert into examined_cuts values ($1, 0, (${slot}), $4)`, values);
  }
  await db.query(
    `insert into generation_cells
     select $1, filter, ad_id, counts::int[]
       from unnest($2::text[], $3::text[], $4::text[]) as t (filter, ad_id, counts)`,
    [
      id,
      rows.map((r) => r.filter),
      rows.map((r) => r.adId),
      rows.map((r) => `{${r.counts.join(',')}}`),
    ],
  );
  return id;
}
