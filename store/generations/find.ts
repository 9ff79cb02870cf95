import type pg from 'pg';
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
