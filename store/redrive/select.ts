import type { RejectReason } from '../../core/click/reasons.js';
import type { Position } from '../../core/position.js';
import { readRow, readRows, type Reader } from '../read/connection.js';
import { exactNumber, exactNumberOrNull } from '../read/values.js';

/** Which quarantined records; what is left out selects all. */
export interface RedriveSelection {
  readonly reason?: RejectReason | undefined;
  /** Append time `[fromMs, toMs)`. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  readonly positions?: readonly Position[] | undefined;
  /** Quarantined before it: so no run meets the records that it sent itself. */
  readonly before: Date;
}

/** A record that may be sent again. */
export interface Redrivable {
  readonly slot: number;
  readonly from: Position;
  readonly reason: string;
  /** null: it had no value, or one larger than `rawBytesMax`. */
  readonly raw: Buffer | null;
  readonly bytes: number | null;
  /** The last run that sent it. */
  readonly last: LastRedrive | null;
}

export interface LastRedrive {
  readonly redrive: number;
  readonly mapping: string | null;
  /** Whether it is known to be on the log. */
  readonly acked: boolean;
}

const SELECTED = `
    from quarantine q join stream_progress p using (slot)
   where ($1::text is null or q.reason = $1)
     and q.append_time >= coalesce($2::timestamptz, '-infinity')
     and q.append_time < coalesce($3::timestamptz, 'infinity')
     and ($4::text[] is null
          or (p.topic, p.partition, q.log_offset)
             in (select * from unnest($4::text[], $5::integer[], $6::bigint[])))
     and q.recorded_at < $7`;

const COUNT = `select count(*) as n ${SELECTED}`;

const PAGE = `
  select c.*, r.redrive, v.mapping, r.acked_at is not null as acked
    from (
      select q.slot, q.log_offset, p.topic, p.partition, q.reason,
             octet_length(q.raw) as bytes,
             case when octet_length(q.raw) <= $10 then q.raw end as raw ${SELECTED}
         and (q.slot, q.log_offset) > ($8, $9)
       order by q.slot, q.log_offset
       limit $11
    ) c
    left join lateral (
      select * from redriven r
       where r.slot = c.slot and r.log_offset = c.log_offset
       order by r.redrive desc limit 1
    ) r on true
    left join redrives v on v.id = r.redrive
   order by c.slot, c.log_offset`;

interface Row {
  slot: number;
  log_offset: string;
  topic: string;
  partition: number;
  reason: string;
  bytes: number | null;
  raw: Buffer | null;
  redrive: string | null;
  mapping: string | null;
  acked: boolean;
}

/** How many records a selection has. */
export async function countRedrivable(reader: Reader, of: RedriveSelection): Promise<number> {
  const row = await readRow<{ n: string }>(reader, 'redrive-count', COUNT, values(of));
  return exactNumber(row.n);
}

/**
 * The next `limit` records of a selection after a key, in the order of slot and offset. Memory is
 * bounded by `limit` times `rawBytesMax`.
 */
export async function pageRedrivable(
  reader: Reader,
  of: RedriveSelection,
  after: { readonly slot: number; readonly offset: number },
  bounds: { readonly limit: number; readonly rawBytesMax: number },
): Promise<Redrivable[]> {
  const { limit, rawBytesMax } = bounds;
  const more = [after.slot, after.offset, rawBytesMax, limit];
  const rows = await readRows<Row>(reader, 'redrive-page', PAGE, [...values(of), ...more]);
  return rows.map((row) => {
    const { slot, topic, partition, reason, bytes, raw, mapping, acked } = row;
    const redrive = exactNumberOrNull(row.redrive);
    return {
      slot,
      from: { topic, partition, offset: exactNumber(row.log_offset) },
      reason,
      raw,
      bytes,
      last: redrive === null ? null : { redrive, mapping, acked },
    };
  });
}

function values(of: RedriveSelection): unknown[] {
  const { positions } = of;
  return [
    of.reason ?? null,
    of.fromMs === undefined ? null : new Date(of.fromMs),
    of.toMs === undefined ? null : new Date(of.toMs),
    positions?.map(({ topic }) => topic) ?? null,
    positions?.map(({ partition }) => partition) ?? null,
    positions?.map(({ offset }) => offset) ?? null,
    of.before,
  ];
}
