import type pg from 'pg';
import { MINUTES_PER_HOUR } from '../core/time.js';
import { encodeInt4Array, encodeTextArray, encodeTimestamptzArray } from './pg-array.js';

/** Byte ranges of `bytes`, one per row. */
export interface TextColumn {
  readonly bytes: Uint8Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** Rows of live cells: `counts` holds 60 minute counts per row, to be added. */
export interface CellRows {
  readonly rows: number;
  readonly hoursMs: Float64Array;
  readonly filters: TextColumn;
  readonly ads: TextColumn;
  readonly slots: Int32Array;
  readonly counts: Int32Array;
}

/** Rows that all lie within the minutes [from, to) of their hour. */
export interface Block {
  readonly from: number;
  readonly to: number;
  readonly rows: readonly number[];
}

/** Share of an hour's rows that may lie outside its window, at either end. */
const STRAGGLERS = 0.02;
/** Windows wider than two minutes have borders at multiples of this: few statements to prepare. */
const WINDOW_STEP = 5;

/**
 * Adds rows to `live_cells`. Most rows of a flush touch the same one or two minutes, and adding only
 * those costs Postgres half of adding all 60 (docs/decisions, live layout). So the rows go as
 * blocks: the window of each hour that holds nearly all of its rows, and the stragglers whole.
 */
export async function addCells(client: pg.Client, cells: CellRows): Promise<void> {
  for (const block of blocksOf(cells)) await addBlock(client, cells, block);
}

/** The rows by the minutes they touch. Every row with a count is in exactly one block. */
export function blocksOf(cells: CellRows): Block[] {
  const spans = spansOf(cells);
  const rowsOfHour = new Map<number, number[]>();
  for (let row = 0; row < cells.rows; row++) {
    if (spans.first[row]! > spans.last[row]!) continue;
    const hour = cells.hoursMs[row]!;
    const rows = rowsOfHour.get(hour);
    if (rows === undefined) rowsOfHour.set(hour, [row]);
    else rows.push(row);
  }
  const blocks = new Map<string, { from: number; to: number; rows: number[] }>();
  for (const rows of rowsOfHour.values()) {
    const window = windowOf(rows, spans);
    for (const row of rows) {
      const inside = spans.first[row]! >= window.from && spans.last[row]! < window.to;
      const { from, to } = inside ? window : { from: 0, to: MINUTES_PER_HOUR };
      const key = `${String(from)}-${String(to)}`;
      const block = blocks.get(key);
      if (block === undefined) blocks.set(key, { from, to, rows: [row] });
      else block.rows.push(row);
    }
  }
  return [...blocks.values()];
}

/** First and last minute with a count, per row; a row without any has first > last. */
function spansOf(cells: CellRows): { first: Uint8Array; last: Uint8Array } {
  const first = new Uint8Array(cells.rows).fill(MINUTES_PER_HOUR);
  const last = new Uint8Array(cells.rows);
  for (let row = 0, at = 0; row < cells.rows; row++) {
    for (let minute = 0; minute < MINUTES_PER_HOUR; minute++, at++) {
      if (cells.counts[at] === 0) continue;
      if (first[row] === MINUTES_PER_HOUR) first[row] = minute;
      last[row] = minute;
    }
  }
  return { first, last };
}

/** The minutes that hold all rows but the stragglers, widened to few distinct windows. */
function windowOf(
  rows: readonly number[],
  spans: { first: Uint8Array; last: Uint8Array },
): { from: number; to: number } {
  const allowed = Math.floor(rows.length * STRAGGLERS);
  const firsts = Uint8Array.from(rows, (row) => spans.first[row]!).sort();
  const lasts = Uint8Array.from(rows, (row) => spans.last[row]!).sort();
  const from = firsts[allowed]!;
  const to = Math.max(from, lasts[rows.length - 1 - allowed]!) + 1;
  if (to - from <= 2) return { from, to };
  return {
    from: Math.floor(from / WINDOW_STEP) * WINDOW_STEP,
    to: Math.ceil(to / WINDOW_STEP) * WINDOW_STEP,
  };
}

async function addBlock(client: pg.Client, cells: CellRows, block: Block): Promise<void> {
  const { from, to, rows } = block;
  const n = rows.length;
  const width = to - from;
  const counts = new Int32Array(n * width);
  rows.forEach((row, i) => {
    const at = row * MINUTES_PER_HOUR;
    counts.set(cells.counts.subarray(at + from, at + to), i * width);
  });
  await client.query({
    name: `add_cells_${String(from)}_${String(to)}`,
    text: addBlockSql(from, to),
    values: [
      encodeTimestamptzArray(Float64Array.from(rows, (row) => cells.hoursMs[row]!)),
      encodeText(cells.filters, rows),
      encodeText(cells.ads, rows),
      encodeInt4Array(Int32Array.from(rows, (row) => cells.slots[row]!)),
      encodeInt4Array(counts),
    ],
  });
}

/** A new row gets zeros around the window; an existing one has only the window added to. */
function addBlockSql(from: number, to: number): string {
  const width = to - from;
  const zeros = (n: number): string => `'{${new Array<number>(n).fill(0).join()}}'::int4[]`;
  const sums: string[] = [];
  for (let m = from + 1; m <= to; m++) {
    sums.push(`l.counts[${String(m)}] + excluded.counts[${String(m)}]`);
  }
  const slice = `($5::int4[])[(t.i::int4 - 1) * ${String(width)} + 1 : t.i::int4 * ${String(width)}]`;
  return `insert into live_cells as l (hour, filter, ad_id, slot, counts)
    select t.hour, t.filter, t.ad_id, t.slot,
           ${zeros(from)} || ${slice} || ${zeros(MINUTES_PER_HOUR - to)}
      from unnest($1::timestamptz[], $2::text[], $3::text[], $4::int4[])
           with ordinality as t (hour, filter, ad_id, slot, i)
    on conflict (hour, filter, ad_id, slot)
    do update set counts[${String(from + 1)}:${String(to)}] = array[${sums.join()}]`;
}

function encodeText(column: TextColumn, rows: readonly number[]): Buffer {
  const starts = Int32Array.from(rows, (row) => column.starts[row]!);
  const ends = Int32Array.from(rows, (row) => column.ends[row]!);
  return encodeTextArray(column.bytes, starts, ends);
}
