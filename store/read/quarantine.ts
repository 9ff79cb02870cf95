import { TruecountError } from '../../core/errors.js';
import type { RejectReason } from '../../core/click/reasons.js';
import { readRows, type Reader } from './connection.js';
import { exactNumber } from './values.js';

export interface QuarantineQuestion {
  readonly reason?: RejectReason | undefined;
  /** Append time `[fromMs, toMs)`; either may be left out. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  /** Records at most, the newest first. */
  readonly limit: number;
}

/** A record that was no click. */
export interface QuarantinedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly appendMs: number;
  readonly reason: string;
  readonly detail: string;
  /** The bytes as they were on the log; null: the record had no value. */
  readonly raw: Buffer | null;
  /** The last time it was sent to the log again; null: never. */
  readonly redriven: Redriven | null;
}

/** What became of a record that `redrive` sent. */
export interface Redriven {
  /** Number of the run. */
  readonly redrive: number;
  readonly actor: string;
  readonly atMs: number;
  /** `perhaps_sent`: the run was stopped before it knew; send it again, it counts once. */
  readonly state: 'perhaps_sent' | 'sent' | 'quarantined_again';
  /** Where it is, in the same topic; null where that is not known. */
  readonly to: { readonly partition: number; readonly offset: number } | null;
}

/** A record as it was quarantined, and the last run that sent it to the log again. */
const WITH_REDRIVE = `
    left join lateral (
      select * from redriven r
       where r.slot = c.slot and r.log_offset = c.log_offset
       order by r.redrive desc limit 1
    ) r on true
    left join redrives v on v.id = r.redrive
    left join stream_progress t on t.topic = c.topic and t.partition = r.to_partition
    left join quarantine again on again.slot = t.slot and again.log_offset = r.to_offset`;

const COLUMNS = `c.*, r.redrive, v.actor, coalesce(r.acked_at, v.started_at) as redriven_at,
         r.acked_at is not null as acked, r.to_partition, r.to_offset,
         again.slot is not null as quarantined_again`;

const RECORD = `q.slot, p.topic, p.partition, q.log_offset, q.append_time, q.reason, q.detail,
         octet_length(q.raw) as bytes`;

const LIST = `
  select ${COLUMNS}
    from (
      select ${RECORD}, substring(q.raw for $5) as raw
        from quarantine q join stream_progress p using (slot)
       where ($1::text is null or q.reason = $1)
         and q.append_time >= coalesce($2::timestamptz, '-infinity')
         and q.append_time < coalesce($3::timestamptz, 'infinity')
       order by q.append_time desc, p.topic, p.partition, q.log_offset desc
       limit $4
    ) c ${WITH_REDRIVE}
   order by c.append_time desc, c.topic, c.partition, c.log_offset desc`;

const SHOW = `
  select ${COLUMNS}
    from (
      select ${RECORD}, q.raw
        from quarantine q join stream_progress p using (slot)
       where p.topic = $1 and p.partition = $2 and q.log_offset = $3
    ) c ${WITH_REDRIVE}`;

interface Row {
  topic: string;
  partition: number;
  log_offset: string;
  append_time: Date;
  reason: string;
  detail: string;
  raw: Buffer | null;
  bytes: number | null;
  redrive: string | null;
  actor: string;
  redriven_at: Date;
  acked: boolean;
  to_partition: number | null;
  to_offset: string | null;
  quarantined_again: boolean;
}

/** A record of a list: `raw` holds its first bytes only, `bytes` says how many there are. */
export interface ListedRecord extends QuarantinedRecord {
  readonly bytes: number | null;
}

/** Quarantined records, newest first, each with at most `previewBytes` of its raw bytes. */
export async function listQuarantined(
  reader: Reader,
  question: QuarantineQuestion,
  previewBytes: number,
): Promise<ListedRecord[]> {
  const rows = await readRows<Row>(reader, 'quarantine-list', LIST, [
    question.reason ?? null,
    question.fromMs === undefined ? null : new Date(question.fromMs),
    question.toMs === undefined ? null : new Date(question.toMs),
    question.limit,
    previewBytes,
  ]);
  return rows.map((row) => ({ ...toRecord(row), bytes: row.bytes }));
}

/** One quarantined record, whole. @throws TruecountError `not_found` */
export async function showQuarantined(
  reader: Reader,
  topic: string,
  partition: number,
  offset: number,
): Promise<QuarantinedRecord> {
  const [row] = await readRows<Row>(reader, 'quarantine-show', SHOW, [topic, partition, offset]);
  if (row !== undefined) return toRecord(row);
  const position = `${topic}/${String(partition)} at offset ${String(offset)}`;
  throw new TruecountError('not_found', `no record is quarantined from ${position}`, {
    hint: '`truecount quarantine list` shows the positions',
  });
}

function toRecord(row: Row): QuarantinedRecord {
  return {
    topic: row.topic,
    partition: row.partition,
    offset: exactNumber(row.log_offset),
    appendMs: row.append_time.getTime(),
    reason: row.reason,
    detail: row.detail,
    raw: row.raw,
    redriven: row.redrive === null ? null : toRedriven(row, row.redrive),
  };
}

function toRedriven(row: Row, redrive: string): Redriven {
  const { to_partition: partition, to_offset: offset } = row;
  const sent = row.quarantined_again ? 'quarantined_again' : 'sent';
  return {
    redrive: exactNumber(redrive),
    actor: row.actor,
    atMs: row.redriven_at.getTime(),
    state: row.acked ? sent : 'perhaps_sent',
    to: partition === null || offset === null ? null : { partition, offset: exactNumber(offset) },
  };
}
