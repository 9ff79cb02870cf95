import type pg from 'pg';

/** One partition as the archive found it at the assignment. Offsets are exact in a double. */
export interface ArchiveAssignment {
  readonly slot: number;
  readonly epoch: number;
  readonly nextOffset: number;
}

/**
 * Takes a partition over for the archive: bumps its epoch. From the commit on, no flush of an
 * earlier owner passes the fence. A partition that the stream has not seen yet gets its slot here,
 * at epoch 0 and offset 0, where the stream begins.
 */
export async function takeArchivePartition(
  client: pg.Client,
  topic: string,
  partition: number,
  owner: string,
): Promise<ArchiveAssignment> {
  await client.query(
    `insert into stream_progress (topic, partition) values ($1, $2)
     on conflict (topic, partition) do nothing`,
    [topic, partition],
  );
  const { rows } = await client.query<Record<string, string | number>>(
    `insert into archive_progress as a (slot, epoch, owner, seen_at)
     select slot, 1, $3, clock_timestamp() from stream_progress
      where topic = $1 and partition = $2
     on conflict (slot) do update
       set epoch = a.epoch + 1, owner = excluded.owner, seen_at = excluded.seen_at
     returning slot, epoch, next_offset`,
    [topic, partition, owner],
  );
  const row = rows[0]!;
  return {
    slot: Number(row['slot']),
    epoch: Number(row['epoch']),
    nextOffset: Number(row['next_offset']),
  };
}

export interface ArchiveReport {
  readonly slot: number;
  readonly epoch: number;
  /** Committed, and read: the offsets between are buffered. */
  readonly nextOffset: number;
  readonly position: number;
  readonly logEndOffset: number | null;
}

export interface ReportAnswer {
  /** False: a partition has another owner, so we are fenced off. */
  readonly ours: boolean;
  /** Somebody waits for an offset that is read but not committed. */
  readonly wanted: boolean;
}

/** Renews the lease of all partitions, and asks whether anybody waits for what is buffered. */
export async function reportArchivePositions(
  client: pg.Client,
  reports: readonly ArchiveReport[],
): Promise<ReportAnswer> {
  const { rowCount } = await client.query(
    `update archive_progress a
        set seen_at = clock_timestamp(), log_end_offset = coalesce(r.log_end, a.log_end_offset)
       from unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[])
              as r (slot, epoch, next_offset, log_end)
      where a.slot = r.slot and a.epoch = r.epoch and a.next_offset = r.next_offset`,
    [
      reports.map((r) => r.slot),
      reports.map((r) => r.epoch),
      reports.map((r) => r.nextOffset),
      reports.map((r) => r.logEndOffset),
    ],
  );
  return { ours: rowCount === reports.length, wanted: await isWanted(client, reports) };
}

async function isWanted(client: pg.Client, reports: readonly ArchiveReport[]): Promise<boolean> {
  const read = reports.filter((r) => r.position > r.nextOffset);
  if (read.length === 0) return false;
  const { rows } = await client.query<{ wanted: boolean }>(
    `select exists (
       select from unnest($1::int[], $2::bigint[], $3::bigint[]) as r (slot, committed, position)
        where exists (select from hour_cuts c where c.slot = r.slot
                         and c.next_offset > r.committed and c.next_offset <= r.position)
           or exists (select from archive_wanted w where w.slot = r.slot
                         and w.next_offset > r.committed and w.next_offset <= r.position)) as wanted`,
    [read.map((r) => r.slot), read.map((r) => r.nextOffset), read.map((r) => r.position)],
  );
  return rows[0]!.wanted;
}
