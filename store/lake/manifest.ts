import type pg from 'pg';
import type { Cut, CutPosition } from '../../core/cut.js';
import type { LakeFile } from '../../core/lake-file.js';

/**
 * Files of the manifest that hold clicks of an hour from below the cut, by number. Ask only once the
 * archive has reached the cut (`archiveCoverage`): before, files are missing.
 */
export async function filesOfHour(
  client: pg.ClientBase,
  hourMs: number,
  cut: Cut,
): Promise<LakeFile[]> {
  const { rows } = await client.query<Record<string, string | number>>(
    `select f.id, f.key, f.bytes, f.sha256, f.rows, f.bucket, f.buckets
       from lake_file_hours h join lake_files f on f.id = h.file
      where h.hour = $1 and exists (
        select from lake_file_ranges r
          join stream_progress p on p.slot = r.slot
          join unnest($2::text[], $3::int[], $4::bigint[]) as c (topic, partition, next_offset)
            on c.topic = p.topic and c.partition = p.partition
         where r.file = f.id and r.from_offset < c.next_offset)
      order by f.id`,
    [new Date(hourMs), ...columnsOf(cut)],
  );
  return rows.map((row) => ({
    id: Number(row['id']),
    key: String(row['key']),
    bytes: Number(row['bytes']),
    sha256: String(row['sha256']),
    rows: Number(row['rows']),
    bucket: Number(row['bucket']),
    buckets: Number(row['buckets']),
  }));
}

/** Where the archive stands in a partition, against the cut asked for. */
export interface ArchiveBehind {
  readonly topic: string;
  readonly partition: number;
  /** Everything below is in listed files, rejected or lost. */
  readonly nextOffset: number;
  readonly wanted: number;
}

/** Offsets that the archive never read. */
export interface ArchiveLoss {
  readonly topic: string;
  readonly partition: number;
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly reason: 'retention' | 'gap' | 'damage';
}

export interface ArchiveCoverage {
  /** Every partition is archived up to the cut. */
  readonly reached: boolean;
  readonly behind: readonly ArchiveBehind[];
  /** Losses that begin below the cut. */
  readonly losses: readonly ArchiveLoss[];
}

/** Whether the lake covers a cut, and what it lacks for ever. */
export async function archiveCoverage(client: pg.ClientBase, cut: Cut): Promise<ArchiveCoverage> {
  const behind = await partitionsBehind(client, cut);
  const { rows } = await client.query<Record<string, string | number>>(
    `select p.topic, p.partition, l.from_offset, l.to_offset, l.reason
       from archive_losses l join stream_progress p on p.slot = l.slot
       join unnest($1::text[], $2::int[], $3::bigint[]) as c (topic, partition, next_offset)
         on c.topic = p.topic and c.partition = p.partition
      where l.from_offset < c.next_offset
      order by p.topic, p.partition, l.from_offset`,
    columnsOf(cut),
  );
  const losses = rows.map((row) => ({
    topic: String(row['topic']),
    partition: Number(row['partition']),
    fromOffset: Number(row['from_offset']),
    toOffset: Number(row['to_offset']),
    reason: String(row['reason']) as ArchiveLoss['reason'],
  }));
  return { reached: behind.length === 0, behind, losses };
}

/** Asks the archive to commit as soon as it has read up to the cut, instead of in its own time. */
export async function wantArchived(client: pg.ClientBase, cut: Cut): Promise<void> {
  await client.query(
    `insert into archive_wanted as w (slot, next_offset)
     select p.slot, c.next_offset
       from unnest($1::text[], $2::int[], $3::bigint[]) as c (topic, partition, next_offset)
       join stream_progress p on p.topic = c.topic and p.partition = c.partition
      order by p.slot
     on conflict (slot) do update set next_offset = excluded.next_offset
      where w.next_offset < excluded.next_offset`,
    columnsOf(cut),
  );
}

async function partitionsBehind(client: pg.ClientBase, cut: Cut): Promise<ArchiveBehind[]> {
  const { rows } = await client.query<Record<string, string | number>>(
    `select c.topic, c.partition, coalesce(a.next_offset, 0) as next_offset,
            c.next_offset as wanted
       from unnest($1::text[], $2::int[], $3::bigint[]) as c (topic, partition, next_offset)
       left join stream_progress p on p.topic = c.topic and p.partition = c.partition
       left join archive_progress a on a.slot = p.slot
      where coalesce(a.next_offset, 0) < c.next_offset
      order by c.topic collate "C", c.partition`,
    columnsOf(cut),
  );
  return rows.map((row) => ({
    topic: String(row['topic']),
    partition: Number(row['partition']),
    nextOffset: Number(row['next_offset']),
    wanted: Number(row['wanted']),
  }));
}

function columnsOf(cut: Cut): [string[], number[], number[]] {
  const column = <K extends keyof CutPosition>(key: K): CutPosition[K][] =>
    cut.map((entry) => entry[key]);
  return [column('topic'), column('partition'), column('nextOffset')];
}
