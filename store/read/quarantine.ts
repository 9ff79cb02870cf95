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
}

const COLUMNS = `p.topic, p.partition, q.log_offset, q.append_time, q.reason, q.detail`;

const LIST = `
  select ${COLUMNS}, substring(q.raw for $5) as raw, octet_length(q.raw) as bytes
    from quarantine q join stream_progress p using (slot)
   where ($1::text is null or q.reason = $1)
     and q.append_time >= coalesce($2::timestamptz, '-infinity')
     and q.append_time < coalesce($3::timestamptz, 'infinity')
   order by q.append_time desc, p.topic, p.partition, q.log_offset desc
   limit $4`;

const SHOW = `
  select ${COLUMNS}, q.raw, octet_length(q.raw) as bytes
    from quarantine q join stream_progress p using (slot)
   where p.topic = $1 and p.partition = $2 and q.log_offset = $3`;

interface Row {
  topic: string;
  partition: number;
  log_offset: string;
  append_time: Date;
  reason: string;
  detail: string;
  raw: Buffer | null;
  bytes: number | null;
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
  };
}
