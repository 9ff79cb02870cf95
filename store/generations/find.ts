import type pg from 'pg';
import type { Cut, CutPosition } from '../../core/cut.js';
import { TruecountError } from '../../core/errors.js';
import type { LoadedGeneration } from '../../core/generation-draft.js';
import { hashInputs } from '../../core/generation.js';
import type { GenerationInputs } from '../../core/generation.js';

/** The generation of these inputs, if it was loaded and its cells are there; else null. */
export async function loadedGeneration(
  client: pg.ClientBase,
  inputs: GenerationInputs,
): Promise<LoadedGeneration | null> {
  const { rows } = await client.query<Record<'id' | 'checksum' | 'rows' | 'cells' | 'n', string>>(
    `select id, checksum, rows, cells, (select sum(c) from unnest(counted) c) as n
       from generations where inputs_hash = $1 and collected_at is null`,
    [hashInputs(inputs)],
  );
  const row = rows[0];
  if (row === undefined) return null;
  return {
    id: Number(row.id),
    checksum: row.checksum,
    rows: Number(row.rows),
    cells: Number(row.cells),
    clicks: Number(row.n),
    existed: true,
  };
}

/** The cut that a generation was made at. Throws not_found. */
export async function generationCut(client: pg.ClientBase, generation: number): Promise<Cut> {
  const { rows } = await client.query<{ cut: CutPosition[] }>(
    `select (select coalesce(json_agg(json_build_object('topic', s.topic,
               'partition', s.partition, 'nextOffset', c.next_offset)), '[]')
               from generation_cuts c join stream_progress s using (slot)
              where c.generation = g.id) as cut
       from generations g where id = $1`,
    [generation],
  );
  if (rows[0] !== undefined) return rows[0].cut;
  throw new TruecountError('not_found', `there is no generation ${String(generation)}`);
}
