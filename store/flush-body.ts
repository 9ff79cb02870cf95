import type pg from 'pg';
import { addCells } from './live-cells.js';
import type { CellRows } from './live-cells.js';
import { encodeInt4Array, encodeInt8Array, encodeTimestamptzArray } from './pg-array.js';

export interface LateRow {
  readonly hourMs: number;
  readonly slot: number;
  readonly offset: number;
  readonly minute: number;
  readonly adId: string;
  readonly filters: readonly string[];
}

export interface QuarantineRow {
  readonly slot: number;
  readonly offset: number;
  readonly appendMs: number;
  readonly reason: string;
  readonly detail: string;
  readonly raw: Buffer | null;
}

export interface LossRow {
  readonly slot: number;
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly reason: 'retention' | 'gap' | 'damage';
}

/** `hourMs` null: every hour that is open when the flush commits. */
export interface CauseRow {
  readonly slot: number;
  readonly hourMs: number | null;
  readonly cause: 'dedupe_overflow' | 'rebuild_loss';
  readonly detail: string;
}

/** What became of the offsets [fromOffset, toOffset) of one partition; the fates add up to them. */
export interface RangeFates {
  readonly slot: number;
  readonly epoch: number;
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly counted: number;
  readonly duplicate: number;
  readonly filtered: number;
  readonly late: number;
  readonly quarantined: number;
  readonly lost: number;
  readonly control: number;
}

/** The same per event minute of one (partition, hour): 60 counts of each fate. */
export interface MinuteFates {
  readonly hourMs: number;
  readonly slot: number;
  readonly counted: Int32Array;
  readonly duplicate: Int32Array;
  readonly filtered: Int32Array;
  /** The filtered ones by reason, each with some. */
  readonly filteredBy: ReadonlyMap<string, Int32Array>;
  readonly late: Int32Array;
}

export interface FlushBody {
  readonly cells: CellRows;
  readonly late: readonly LateRow[];
  readonly quarantine: readonly QuarantineRow[];
  readonly losses: readonly LossRow[];
  readonly causes: readonly CauseRow[];
  readonly ranges: readonly RangeFates[];
  readonly minutes: readonly MinuteFates[];
}

/** Writes everything of a flush but the fence; inside the flush's transaction. */
export async function writeFlushBody(client: pg.Client, body: FlushBody): Promise<void> {
  if (body.cells.rows > 0) await addCells(client, body.cells);
  await addRanges(client, body.ranges);
  if (body.minutes.length > 0) await addMinutes(client, body.minutes);
  if (body.minutes.some(({ filteredBy }) => filteredBy.size > 0)) {
    await addFiltered(client, body.minutes);
  }
  if (body.late.length > 0) await addLate(client, body.late);
  if (body.quarantine.length > 0) await addQuarantine(client, body.quarantine);
  if (body.losses.length > 0) await addLosses(client, body.losses);
  if (body.causes.length > 0) await addCauses(client, body.causes);
}

async function addRanges(client: pg.Client, ranges: readonly RangeFates[]): Promise<void> {
  const column = (of: (r: RangeFates) => number): Buffer =>
    encodeInt8Array(Float64Array.from(ranges, of));
  await client.query({
    name: 'add_ranges',
    text: `insert into flushes (slot, epoch, from_offset, to_offset, counted, duplicate, filtered,
                                late, quarantined, lost, control)
      select * from unnest($1::int4[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
        $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[])`,
    values: [
      ranges.map((r) => r.slot),
      column((r) => r.epoch),
      column((r) => r.fromOffset),
      column((r) => r.toOffset),
      column((r) => r.counted),
      column((r) => r.duplicate),
      column((r) => r.filtered),
      column((r) => r.late),
      column((r) => r.quarantined),
      column((r) => r.lost),
      column((r) => r.control),
    ],
  });
}

async function addMinutes(client: pg.Client, minutes: readonly MinuteFates[]): Promise<void> {
  const flat = (of: (m: MinuteFates) => Int32Array): Buffer => flatMinutes(minutes.map(of));
  await client.query({
    name: 'add_minutes',
    text: `insert into minute_flow as f (hour, slot, counted, duplicate, filtered, late)
      select t.hour, t.slot, ($3::int4[])[(t.i - 1) * 60 + 1 : t.i * 60],
             ($4::int4[])[(t.i - 1) * 60 + 1 : t.i * 60], ($5::int4[])[(t.i - 1) * 60 + 1 : t.i * 60],
             ($6::int4[])[(t.i - 1) * 60 + 1 : t.i * 60]
        from unnest($1::timestamptz[], $2::int4[]) with ordinality as t (hour, slot, i)
      on conflict (hour, slot) do update
        set counted = add_minutes(f.counted, excluded.counted),
            duplicate = add_minutes(f.duplicate, excluded.duplicate),
            filtered = add_minutes(f.filtered, excluded.filtered),
            late = add_minutes(f.late, excluded.late)`,
    values: [
      encodeTimestamptzArray(Float64Array.from(minutes, (m) => m.hourMs)),
      minutes.map((m) => m.slot),
      flat((m) => m.counted),
      flat((m) => m.duplicate),
      flat((m) => m.filtered),
      flat((m) => m.late),
    ],
  });
}

/** Rows of 60 counts, one after the other. */
function flatMinutes(rows: readonly Int32Array[]): Buffer {
  const all = new Int32Array(rows.length * 60);
  rows.forEach((counts, i) => {
    all.set(counts, i * 60);
  });
  return encodeInt4Array(all);
}

async function addFiltered(client: pg.Client, minutes: readonly MinuteFates[]): Promise<void> {
  const rows = minutes.flatMap(({ hourMs, slot, filteredBy }) =>
    [...filteredBy].map(([reason, counts]) => ({ hourMs, slot, reason, counts })),
  );
  await client.query({
    name: 'add_filtered',
    text: `insert into filtered_flow as f (hour, slot, reason, counts)
      select t.hour, t.slot, t.reason, ($4::int4[])[(t.i - 1) * 60 + 1 : t.i * 60]
        from unnest($1::timestamptz[], $2::int4[], $3::text[]) with ordinality
               as t (hour, slot, reason, i)
      on conflict (hour, slot, reason) do update
        set counts = add_minutes(f.counts, excluded.counts)`,
    values: [
      encodeTimestamptzArray(Float64Array.from(rows, (r) => r.hourMs)),
      rows.map((r) => r.slot),
      rows.map((r) => r.reason),
      flatMinutes(rows.map((r) => r.counts)),
    ],
  });
}

async function addLate(client: pg.Client, late: readonly LateRow[]): Promise<void> {
  // unnest flattens arrays of arrays, so the filters travel as JSON, one array a row.
  await client.query({
    name: 'add_late',
    text: `insert into late_clicks (hour, slot, log_offset, minute, ad_id, filters)
      select t.hour, t.slot, t.log_offset, t.minute, t.ad_id,
             array(select jsonb_array_elements_text(t.filters))
        from unnest($1::timestamptz[], $2::int4[], $3::bigint[], $4::int4[], $5::text[],
                    $6::jsonb[]) as t (hour, slot, log_offset, minute, ad_id, filters)`,
    values: [
      encodeTimestamptzArray(Float64Array.from(late, (r) => r.hourMs)),
      late.map((r) => r.slot),
      encodeInt8Array(Float64Array.from(late, (r) => r.offset)),
      late.map((r) => r.minute),
      late.map((r) => r.adId),
      late.map((r) => JSON.stringify(r.filters)),
    ],
  });
}

async function addQuarantine(client: pg.Client, rows: readonly QuarantineRow[]): Promise<void> {
  await client.query({
    name: 'add_quarantine',
    text: `insert into quarantine (slot, log_offset, append_time, reason, detail, raw)
      select * from unnest($1::int4[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[],
                           $6::bytea[])`,
    values: [
      rows.map((r) => r.slot),
      encodeInt8Array(Float64Array.from(rows, (r) => r.offset)),
      encodeTimestamptzArray(Float64Array.from(rows, (r) => r.appendMs)),
      rows.map((r) => r.reason),
      rows.map((r) => r.detail),
      rows.map((r) => r.raw),
    ],
  });
}

async function addLosses(client: pg.Client, rows: readonly LossRow[]): Promise<void> {
  await client.query(
    `insert into loss_intervals (slot, from_offset, to_offset, reason)
     select * from unnest($1::int4[], $2::bigint[], $3::bigint[], $4::text[])`,
    [
      rows.map((r) => r.slot),
      rows.map((r) => r.fromOffset),
      rows.map((r) => r.toOffset),
      rows.map((r) => r.reason),
    ],
  );
}

async function addCauses(client: pg.Client, rows: readonly CauseRow[]): Promise<void> {
  await client.query(
    `insert into hour_causes (hour, slot, cause, detail)
     select coalesce(t.hour, h.hour), t.slot, t.cause, t.detail
       from unnest($1::timestamptz[], $2::int4[], $3::text[], $4::text[])
              as t (hour, slot, cause, detail)
       left join hours h on t.hour is null and h.state = 'open'
      where coalesce(t.hour, h.hour) is not null
     on conflict do nothing`,
    [
      rows.map((r) => (r.hourMs === null ? null : new Date(r.hourMs))),
      rows.map((r) => r.slot),
      rows.map((r) => r.cause),
      rows.map((r) => r.detail),
    ],
  );
}
