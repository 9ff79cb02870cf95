import type pg from 'pg';

/** Where the archive stands in a partition, and whether anybody reads it. */
export interface ArchiveStanding {
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: number;
  /** Its owner has reported within the lease. */
  readonly owned: boolean;
}

/** All partitions that were ever archived, in order. */
export async function archiveStandings(client: pg.ClientBase): Promise<ArchiveStanding[]> {
  const { rows } = await client.query<{
    topic: string;
    partition: number;
    next_offset: string;
    owned: boolean;
  }>(
    `select p.topic, p.partition, a.next_offset,
            coalesce(a.seen_at > clock_timestamp() - s.lease_ms * interval '1 ms', false) as owned
       from archive_progress a join stream_progress p using (slot), reading_settings s
      order by p.topic, p.partition`,
  );
  return rows.map((row) => ({
    topic: row.topic,
    partition: row.partition,
    nextOffset: Number(row.next_offset),
    owned: row.owned,
  }));
}
