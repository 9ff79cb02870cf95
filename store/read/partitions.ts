import { readRows, type Reader } from './connection.js';
import { exactNumber, exactNumberOrNull } from './values.js';

/** Where the stream stands in one partition of the log. */
export interface PartitionAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly epoch: number;
  readonly owner: string | null;
  /** Its owner has reported within the lease. */
  readonly owned: boolean;
  /** Owned and read to its end for longer than the idle timeout: holds no watermark back. */
  readonly idle: boolean;
  readonly nextOffset: number;
  /** Records between the position and the end as the owner last saw it; null: never seen. */
  readonly lag: number | null;
  readonly watermarkMs: number | null;
  readonly seenAtMs: number | null;
}

const SQL = `
  select p.topic, p.partition, p.epoch, p.owner, w.owned, w.idle, p.next_offset,
         case when p.log_end_offset is not null
              then greatest(0, p.log_end_offset - p.next_offset) end as lag, w.watermark_ms, p.seen_at
    from stream_progress p join partition_watermarks(now()) w using (slot)
   order by p.topic, p.partition`;

interface Row {
  topic: string;
  partition: number;
  epoch: string;
  owner: string | null;
  owned: boolean;
  idle: boolean;
  next_offset: string;
  lag: string | null;
  watermark_ms: string | null;
  seen_at: Date | null;
}

/** All partitions that were ever read, in order. Throws as `readRows`. */
export async function readPartitions(reader: Reader): Promise<PartitionAnswer[]> {
  const rows = await readRows<Row>(reader, 'partitions', SQL, []);
  return rows.map((row) => ({
    topic: row.topic,
    partition: row.partition,
    epoch: exactNumber(row.epoch),
    owner: row.owner,
    owned: row.owned,
    idle: row.idle,
    nextOffset: exactNumber(row.next_offset),
    lag: exactNumberOrNull(row.lag),
    watermarkMs: exactNumberOrNull(row.watermark_ms),
    seenAtMs: row.seen_at?.getTime() ?? null,
  }));
}
