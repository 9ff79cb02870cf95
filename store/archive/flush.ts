import type pg from 'pg';
import { encodeInt4Array, encodeTimestamptzArray } from '../pg-array.js';

/** What became of the offsets [fromOffset, toOffset) of one partition; the fates add up to them. */
export interface ArchivedRange {
  readonly slot: number;
  readonly epoch: number;
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly logEndOffset: number | null;
  readonly archived: number;
  /** Records that are no clicks. */
  readonly rejected: number;
  readonly lost: number;
  readonly control: number;
}

export interface ArchiveLossRow {
  readonly slot: number;
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly reason: 'retention' | 'gap' | 'damage';
}

/** A file that lies in the lake already, and what it holds. */
export interface NewLakeFile {
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly bucket: number;
  readonly buckets: number;
  readonly minEventMs: number;
  readonly maxEventMs: number;
  readonly hours: readonly { readonly hourMs: number; readonly rows: number }[];
  readonly slots: readonly { readonly slot: number; readonly rows: number }[];
}

export interface ArchiveMinutes {
  readonly hourMs: number;
  readonly slot: number;
  /** 60 counts. */
  readonly received: Int32Array;
}

export interface ArchiveFlush {
  /** Ascending by slot. */
  readonly ranges: readonly ArchivedRange[];
  readonly losses: readonly ArchiveLossRow[];
  readonly files: readonly NewLakeFile[];
  /** Ascending by hour, then slot. */
  readonly minutes: readonly ArchiveMinutes[];
}

export type ArchiveOutcome =
  | { readonly kind: 'committed' }
  /** Epoch or offset are not ours any more: nothing was written, the state is to be thrown away. */
  | { readonly kind: 'refused'; readonly slot: number };

/**
 * Lists files and moves the archive's position in one transaction (I2), under the fence: every
 * partition's epoch and old offset must still be the caller's.
 *
 * Throws what `pg` throws. After an error of the connection it is unknown whether the commit
 * happened; trying the same flush again is safe, because the fence then refuses it.
 */
export async function commitArchive(
  client: pg.Client,
  flush: ArchiveFlush,
): Promise<ArchiveOutcome> {
  await client.query('begin isolation level read committed');
  try {
    const refused = await passFence(client, flush.ranges);
    if (refused !== undefined) {
      await client.query('rollback');
      return { kind: 'refused', slot: refused };
    }
    await addRanges(client, flush.ranges);
    if (flush.losses.length > 0) await addLosses(client, flush.losses);
    if (flush.files.length > 0) await addFiles(client, flush);
    if (flush.minutes.length > 0) await addMinutes(client, flush.minutes);
    await client.query('commit');
    return { kind: 'committed' };
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

/** One row after the other, by slot: two archivers never wait for each other in a circle. */
async function passFence(
  client: pg.Client,
  ranges: readonly ArchivedRange[],
): Promise<number | undefined> {
  for (const range of ranges) {
    const { rowCount } = await client.query({
      name: 'archive_fence',
      text: `update archive_progress
                set next_offset = $4, log_end_offset = coalesce($5, log_end_offset),
                    seen_at = clock_timestamp()
              where slot = $1 and epoch = $2 and next_offset = $3`,
      values: [range.slot, range.epoch, range.fromOffset, range.toOffset, range.logEndOffset],
    });
    if (rowCount !== 1) return range.slot;
  }
  return undefined;
}

async function addRanges(client: pg.Client, ranges: readonly ArchivedRange[]): Promise<void> {
  await client.query(
    `insert into archive_flushes
       (slot, epoch, from_offset, to_offset, archived, rejected, lost, control)
     select * from unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
                          $6::bigint[], $7::bigint[], $8::bigint[])`,
    [
      ranges.map((r) => r.slot),
      ranges.map((r) => r.epoch),
      ranges.map((r) => r.fromOffset),
      ranges.map((r) => r.toOffset),
      ranges.map((r) => r.archived),
      ranges.map((r) => r.rejected),
      ranges.map((r) => r.lost),
      ranges.map((r) => r.control),
    ],
  );
}

async function addLosses(client: pg.Client, losses: readonly ArchiveLossRow[]): Promise<void> {
  await client.query(
    `insert into archive_losses (slot, from_offset, to_offset, reason)
     select * from unnest($1::int[], $2::bigint[], $3::bigint[], $4::text[])`,
    [
      losses.map((r) => r.slot),
      losses.map((r) => r.fromOffset),
      losses.map((r) => r.toOffset),
      losses.map((r) => r.reason),
    ],
  );
}

async function addFiles(client: pg.Client, { files, ranges }: ArchiveFlush): Promise<void> {
  const { rows } = await client.query<{ id: string; key: string }>(
    `insert into lake_files (key, bytes, sha256, rows, bucket, buckets, min_event_ms, max_event_ms)
     select * from unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::int[], $6::int[],
                          $7::bigint[], $8::bigint[])
     returning id, key`,
    [
      files.map((f) => f.key),
      files.map((f) => f.bytes),
      files.map((f) => f.sha256),
      files.map((f) => f.hours.reduce((sum, hour) => sum + hour.rows, 0)),
      files.map((f) => f.bucket),
      files.map((f) => f.buckets),
      files.map((f) => f.minEventMs),
      files.map((f) => f.maxEventMs),
    ],
  );
  const ids = new Map(rows.map((row) => [row.key, row.id]));
  const hours = files.flatMap((f) => f.hours.map((h) => ({ ...h, file: ids.get(f.key) })));
  await client.query(
    `insert into lake_file_hours (hour, file, rows)
     select * from unnest($1::timestamptz[], $2::bigint[], $3::bigint[])`,
    [
      encodeTimestamptzArray(Float64Array.from(hours, (h) => h.hourMs)),
      hours.map((h) => h.file),
      hours.map((h) => h.rows),
    ],
  );
  const read = new Map(ranges.map((range) => [range.slot, range]));
  const slots = files.flatMap((f) => f.slots.map((s) => ({ ...s, file: ids.get(f.key) })));
  await client.query(
    `insert into lake_file_ranges (file, slot, from_offset, to_offset, rows)
     select * from unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[])`,
    [
      slots.map((s) => s.file),
      slots.map((s) => s.slot),
      slots.map((s) => read.get(s.slot)!.fromOffset),
      slots.map((s) => read.get(s.slot)!.toOffset),
      slots.map((s) => s.rows),
    ],
  );
}

async function addMinutes(client: pg.Client, minutes: readonly ArchiveMinutes[]): Promise<void> {
  const received = new Int32Array(minutes.length * 60);
  minutes.forEach((row, i) => {
    received.set(row.received, i * 60);
  });
  await client.query(
    `insert into archive_flow as f (hour, slot, received)
     select t.hour, t.slot, ($3::int4[])[(t.i - 1) * 60 + 1 : t.i * 60]
       from unnest($1::timestamptz[], $2::int4[]) with ordinality as t (hour, slot, i)
     on conflict (hour, slot) do update set received = add_minutes(f.received, excluded.received)`,
    [
      encodeTimestamptzArray(Float64Array.from(minutes, (m) => m.hourMs)),
      minutes.map((m) => m.slot),
      encodeInt4Array(received),
    ],
  );
}
