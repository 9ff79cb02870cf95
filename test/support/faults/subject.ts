import type pg from 'pg';
import { expect } from 'vitest';
import { openLake } from '../../../lake/open.js';
import { sweepLake } from '../../../stream/archive/sweep.js';
import { expectArchived, orphansOf, untilArchived } from '../archive.js';
import { untilCounted } from '../stream.js';
import type { Servers } from './servers.js';
import { expectExact } from './truth.js';

export interface PartitionRow {
  readonly partition: number;
  readonly slot: number;
  readonly owner: string;
  readonly next: number;
  /** Since its owner last committed (or, of the stream, reported). */
  readonly quietMs: number;
}

/** One consistent look at what a service has committed. */
export interface Look {
  /** Clicks, as the result tells (cells, files). */
  readonly total: number;
  /** The same, as the conservation rows tell. */
  readonly counted: number;
  /** Offsets of the conservation rows. */
  readonly ranges: number;
  /** Offsets as the fence tells. */
  readonly positions: number;
}

/** The service that faults hit: where it stands, and what must be true of it. */
export interface Subject {
  readonly service: 'stream' | 'archive';
  /** The fence table. */
  readonly fence: string;
  /** No true total is above the distinct clicks sent. */
  readonly countsDistinct: boolean;
  partitions(pool: pg.Pool, topic: string): Promise<PartitionRow[]>;
  look(pool: pg.Pool): Promise<Look>;
  untilDone(servers: Servers, topic: string, deadlineMs: number): Promise<void>;
  /** Compares everything with the log once it is done; what was found, in a line. */
  check(servers: Servers, topic: string): Promise<string>;
}

const n = (value: number): string => value.toLocaleString('en-US');

export const STREAM: Subject = {
  service: 'stream',
  fence: 'stream_progress',
  countsDistinct: true,
  async partitions(pool, topic) {
    const { rows } = await pool.query<PartitionRow>(
      `select partition, slot, owner, next_offset::float8 as next,
              (extract(epoch from clock_timestamp() - seen_at) * 1000)::float8 as "quietMs"
         from stream_progress where topic = $1 order by slot`,
      [topic],
    );
    return rows;
  },
  look: (pool) =>
    lookBy(
      pool,
      `select (select coalesce(sum(n), 0) from live_cells, unnest(counts) n
                where filter = '') as total,
              (select coalesce(sum(counted), 0) from flushes) as counted,
              (select coalesce(sum(to_offset - from_offset), 0) from flushes) as ranges,
              (select coalesce(sum(next_offset), 0) from stream_progress) as positions`,
    ),
  untilDone: ({ pool, brokers }, topic, deadlineMs) =>
    untilCounted(pool, brokers, topic, deadlineMs),
  async check({ pool, brokers }, topic) {
    const verdict = await expectExact(pool, brokers, topic);
    return (
      `${n(verdict.received)} records: ${n(verdict.counted)} counted, ${n(verdict.duplicate)} ` +
      `duplicate, ${n(verdict.late)} late, ${n(verdict.quarantined)} quarantined; ` +
      `${n(verdict.cells)} cells equal, 0 different`
    );
  },
};

/** Where the archivers of a fault test have their lake. */
export function lakeOf({ home }: Pick<Servers, 'home'>): string {
  return `${home}/lake`;
}

export const ARCHIVE: Subject = {
  service: 'archive',
  fence: 'archive_progress',
  countsDistinct: false,
  async partitions(pool, topic) {
    const { rows } = await pool.query<PartitionRow>(
      `select p.partition, slot, a.owner, a.next_offset::float8 as next,
              (extract(epoch from clock_timestamp() - coalesce(
                 (select max(committed_at) from archive_flushes f where f.slot = a.slot),
                 a.seen_at)) * 1000)::float8 as "quietMs"
         from archive_progress a join stream_progress p using (slot)
        where p.topic = $1 order by slot`,
      [topic],
    );
    return rows;
  },
  look: (pool) =>
    lookBy(
      pool,
      `select (select coalesce(sum(rows), 0) from lake_files) as total,
              (select coalesce(sum(archived), 0) from archive_flushes) as counted,
              (select coalesce(sum(to_offset - from_offset), 0) from archive_flushes) as ranges,
              (select coalesce(sum(next_offset), 0) from archive_progress) as positions`,
    ),
  untilDone: ({ pool, brokers }, topic, deadlineMs) =>
    untilArchived(pool, brokers, topic, deadlineMs),
  async check(servers, topic) {
    const { pool, brokers } = servers;
    const lake = openLake(lakeOf(servers));
    const verdict = await expectArchived(pool, topic, lake, brokers);
    const orphans = await orphansOf(pool, lake);
    // Nobody writes any more: whoever comes next ends all epochs, and one sweep is enough.
    await pool.query('update archive_progress set epoch = epoch + 1');
    const client = await pool.connect();
    try {
      const { removed } = await sweepLake(client, lake);
      expect([...removed].sort(), 'swept').toEqual(orphans);
    } finally {
      client.release();
    }
    expect(await orphansOf(pool, lake), 'files that nobody listed').toEqual([]);
    await expectArchived(pool, topic, lake, brokers);
    return (
      `${n(verdict.clicks)} clicks in ${n(verdict.files)} files, each once with every field; ` +
      `${n(verdict.rejected)} records are no clicks; ${n(orphans.length)} orphans swept at the end`
    );
  },
};

async function lookBy(pool: pg.Pool, sql: string): Promise<Look> {
  const { rows } = await pool.query<Record<keyof Look, string>>(sql);
  const [row] = rows;
  return {
    total: Number(row!.total),
    counted: Number(row!.counted),
    ranges: Number(row!.ranges),
    positions: Number(row!.positions),
  };
}
