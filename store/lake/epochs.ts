import type pg from 'pg';

/** The archive's epoch of every partition, by slot. */
export async function archiveEpochs(client: pg.ClientBase): Promise<Map<number, number>> {
  const { rows } = await client.query<{ slot: number; epoch: string }>(
    'select slot, epoch from archive_progress',
  );
  return new Map(rows.map((row) => [row.slot, Number(row.epoch)]));
}

/** Those of `keys` that are in the manifest. */
export async function listedKeys(
  client: pg.ClientBase,
  keys: readonly string[],
): Promise<Set<string>> {
  const { rows } = await client.query<{ key: string }>(
    'select key from lake_files where key = any ($1::text[])',
    [keys],
  );
  return new Set(rows.map((row) => row.key));
}
