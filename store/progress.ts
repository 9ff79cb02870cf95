import type pg from 'pg';

/** One partition as its owner found it at the assignment. Offsets are exact in a double. */
export interface Assignment {
  readonly slot: number;
  readonly epoch: number;
  readonly nextOffset: number;
  readonly rebuildFrom: number;
  /** Greatest event time below `nextOffset`, clamped to append time; null before the first click. */
  readonly maxEventMs: number | null;
}

/**
 * Takes a partition over: creates its row or bumps its epoch. From the commit on, no flush of an
 * earlier owner passes the fence. Waits for a flush that holds the row (up to the session's lock
 * timeout), so the answer is what that flush committed.
 */
export async function takePartition(
  client: pg.Client,
  topic: string,
  partition: number,
  owner: string,
): Promise<Assignment> {
  const { rows } = await client.query<Record<string, string | number | null>>(
    `insert into stream_progress (topic, partition, epoch, owner, seen_at)
       values ($1, $2, 1, $3, clock_timestamp())
     on conflict (topic, partition) do update
       set epoch = stream_progress.epoch + 1, owner = excluded.owner,
           seen_at = excluded.seen_at, at_end_since = null
     returning slot, epoch, next_offset, rebuild_from, max_event_ms`,
    [topic, partition, owner],
  );
  const row = rows[0]!;
  return {
    slot: Number(row['slot']),
    epoch: Number(row['epoch']),
    nextOffset: Number(row['next_offset']),
    rebuildFrom: Number(row['rebuild_from']),
    maxEventMs: row['max_event_ms'] === null ? null : Number(row['max_event_ms']),
  };
}

export interface PositionReport {
  readonly slot: number;
  readonly epoch: number;
  readonly nextOffset: number;
  readonly logEndOffset: number | null;
  readonly atEnd: boolean;
}

/**
 * Renews the lease of partitions without new records, and says whether they are read to their
 * end. Returns false if any of them is no longer ours: then we are fenced off.
 */
export async function reportPositions(
  client: pg.Client,
  reports: readonly PositionReport[],
): Promise<boolean> {
  const { rowCount } = await client.query(
    `update stream_progress p
        set seen_at = clock_timestamp(), log_end_offset = coalesce(r.log_end, p.log_end_offset),
            at_end_since = case when r.at_end
                                then coalesce(p.at_end_since, clock_timestamp()) end
       from unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean[])
              as r (slot, epoch, next_offset, log_end, at_end)
      where p.slot = r.slot and p.epoch = r.epoch and p.next_offset = r.next_offset`,
    [
      reports.map((r) => r.slot),
      reports.map((r) => r.epoch),
      reports.map((r) => r.nextOffset),
      reports.map((r) => r.logEndOffset),
      reports.map((r) => r.atEnd),
    ],
  );
  return rowCount === reports.length;
}
