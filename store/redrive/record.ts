import type pg from 'pg';
import { readRow, readRows } from '../read/connection.js';
import { exactNumber } from '../read/values.js';

/** A record by the key of the quarantine. */
export interface QuarantineKey {
  readonly slot: number;
  readonly offset: number;
}

/** Where a record went, acknowledged by all in-sync replicas. */
export interface Acknowledged extends QuarantineKey {
  readonly toPartition: number;
  /** null: the broker did not say. */
  readonly toOffset: number | null;
}

/** The database's clock. */
export async function databaseNow(client: pg.ClientBase): Promise<Date> {
  const text = 'select clock_timestamp() as at';
  return (await readRow<{ at: Date }>(client, 'redrive-now', text, [])).at;
}

/** Begins a run; gives its number. `mapping` as it was given, null for the bytes as they were. */
export async function beginRedrive(
  client: pg.ClientBase,
  run: { readonly actor: string; readonly mapping: string | null },
): Promise<number> {
  const text = 'insert into redrives (actor, mapping) values ($1, $2) returning id';
  const values = [run.actor, run.mapping];
  return exactNumber((await readRow<{ id: string }>(client, 'redrive-begin', text, values)).id);
}

/** Notes that records are about to be sent: from here on they may be on the log. */
export async function intendRedriven(
  client: pg.ClientBase,
  redrive: number,
  records: readonly QuarantineKey[],
): Promise<void> {
  await readRows(
    client,
    'redrive-intend',
    `insert into redriven (redrive, slot, log_offset)
     select $1, t.slot, t.log_offset from unnest($2::integer[], $3::bigint[]) t (slot, log_offset)`,
    [redrive, records.map(({ slot }) => slot), records.map(({ offset }) => offset)],
  );
}

/** Notes where they are. Only to be called once the log has them. */
export async function acknowledgeRedriven(
  client: pg.ClientBase,
  redrive: number,
  records: readonly Acknowledged[],
): Promise<void> {
  await readRows(
    client,
    'redrive-acknowledge',
    `update redriven r
        set to_partition = t.to_partition, to_offset = t.to_offset, acked_at = clock_timestamp()
       from unnest($2::integer[], $3::bigint[], $4::integer[], $5::bigint[])
              t (slot, log_offset, to_partition, to_offset)
      where r.redrive = $1 and r.slot = t.slot and r.log_offset = t.log_offset`,
    [
      redrive,
      records.map(({ slot }) => slot),
      records.map(({ offset }) => offset),
      records.map(({ toPartition }) => toPartition),
      records.map(({ toOffset }) => toOffset),
    ],
  );
}
