import type pg from 'pg';
import { normalCut } from '../../core/cut.js';
import type { GenerationDraft } from '../../core/generation-draft.js';
import { hashInputs } from '../../core/generation.js';
import { TruecountError } from '../../core/errors.js';
import type { FoldedRows } from './fold.js';

export interface FoundGeneration {
  readonly id: number;
  readonly checksum: string;
  /** Retention has taken its cells away. */
  readonly collected: boolean;
}

/** The generation of these inputs, if it was loaded. */
export async function findGeneration(
  client: pg.ClientBase,
  inputsHash: string,
): Promise<FoundGeneration | null> {
  const { rows } = await client.query<{ id: string; checksum: string; collected: boolean }>(
    `select id, checksum, collected_at is not null as collected
       from generations where inputs_hash = $1`,
    [inputsHash],
  );
  return rows[0] === undefined ? null : { ...rows[0], id: Number(rows[0].id) };
}

/**
 * Writes everything of a generation but its cells. False: another load of the same inputs was first
 * (this one waited for it), and nothing was written.
 */
export async function register(
  client: pg.ClientBase,
  id: number,
  draft: GenerationDraft,
  folded: FoldedRows,
): Promise<boolean> {
  const { inputs, flow } = draft;
  const { rowCount } = await client.query(
    `insert into generations (id, hour, rule_set, inputs_hash, checksum, rows, cells, received,
                              counted, duplicate, filtered, built_by)
     overriding system value
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
     on conflict (inputs_hash) do nothing`,
    [
      id,
      new Date(inputs.hourMs),
      inputs.ruleSet,
      hashInputs(inputs),
      folded.checksum,
      folded.rows,
      folded.cells,
      flow.received,
      flow.counted,
      flow.duplicate,
      flow.filtered,
      draft.builtBy,
    ],
  );
  if (rowCount === 0) return false;
  await insertCut(client, id, draft);
  for (const [reason, counts] of Object.entries(flow.filteredBy)) {
    await client.query(
      'insert into generation_filtered (generation, reason, counts) values ($1, $2, $3)',
      [id, reason, counts],
    );
  }
  await client.query(
    'insert into generation_files (generation, file) select $1, unnest($2::bigint[])',
    [id, draft.fileIds],
  );
  return true;
}

/** Its cut, which is also how far the clicks of the hour have been examined for it. */
async function insertCut(
  client: pg.ClientBase,
  id: number,
  { inputs }: GenerationDraft,
): Promise<void> {
  const cut = normalCut(inputs.cut);
  await client.query(
    `with cut as (
       insert into generation_cuts (generation, slot, next_offset)
       select $1, s.slot, c.next_offset
         from unnest($2::text[], $3::int[], $4::bigint[]) as c (topic, partition, next_offset)
         join stream_progress s on s.topic = c.topic and s.partition = c.partition
       returning slot, next_offset
     )
     insert into examined_cuts (generation, publication, slot, next_offset)
     select $1, 0, slot, next_offset from cut`,
    [id, cut.map((c) => c.topic), cut.map((c) => c.partition), cut.map((c) => c.nextOffset)],
  );
}

/**
 * Before anything is copied: hour, rule set and partitions must be stored.
 * @throws TruecountError not_found
 */
export async function refuseStrangers(
  client: pg.ClientBase,
  { inputs }: GenerationDraft,
): Promise<void> {
  const cut = normalCut(inputs.cut);
  const { rows } = await client.query<{ hour: boolean; rules: boolean; slots: string }>(
    `select exists (select from hours where hour = $1) as hour,
            exists (select from rule_sets where hash = $2) as rules,
            (select count(*) from unnest($3::text[], $4::int[]) as c (topic, partition)
               join stream_progress s on s.topic = c.topic and s.partition = c.partition) as slots`,
    [new Date(inputs.hourMs), inputs.ruleSet, cut.map((c) => c.topic), cut.map((c) => c.partition)],
  );
  const { hour, rules, slots } = rows[0]!;
  const what = !hour
    ? 'the hour'
    : !rules
      ? `rule set ${inputs.ruleSet}`
      : Number(slots) < cut.length
        ? 'a partition of the cut'
        : null;
  if (what === null) return;
  throw new TruecountError('not_found', `a generation cannot be loaded: ${what} is not stored`);
}

/**
 * Runs `copy`, which writes the cells of a collected generation, under the lock of its row. Null:
 * it is not collected any more, and `copy` was not called.
 */
export async function restore<T>(
  client: pg.ClientBase,
  id: number,
  copy: () => Promise<T>,
): Promise<T | null> {
  const { rowCount } = await client.query(
    'select from generations where id = $1 and collected_at is not null for update',
    [id],
  );
  if (rowCount === 0) return null;
  // What a collection has not removed yet.
  await client.query('delete from generation_cells where generation = $1', [id]);
  const value = await copy();
  await client.query(
    'update generations set collected_at = null, loaded_at = clock_timestamp() where id = $1',
    [id],
  );
  return value;
}
