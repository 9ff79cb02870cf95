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

/** Rows, by index, that all lie within the minutes [from, to) of their hour. */
export interface Block {
  readonly from: number;
  readonly to: number;
  readonly rows: Int32Array;
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

/** First and last minute with a count, per row; a row without any has first > last. */
interface Spans {
  readonly first: Uint8Array;
  readonly last: Uint8Array;
}

interface Window {
  readonly from: number;
  readonly to: number;
}

/** The rows by the minutes they touch. Every row with a count is in exactly one block. */
export function blocksOf(cells: CellRows): Block[] {
  const spans = spansOf(cells);
  const windows = windowsOf(cells, spans);
  const whole = { from: 0, to: MINUTES_PER_HOUR };
  const places = new Map<number, { window: Window; rows: Int32Array; size: number }>();
  for (let row = 0; row < cells.rows; row++) {
    const first = spans.first[row]!;
    const last = spans.last[row]!;
    if (first > last) continue;
    const window = windows.get(cells.hoursMs[row]!)!;
    const { from, to } = first >= window.from && last < window.to ? window : whole;
    const key = from * (MINUTES_PER_HOUR + 1) + to;
    let place = places.get(key);
    if (place === undefined) {
      place = { window: { from, to }, rows: new Int32Array(cells.rows), size: 0 };
      places.set(key, place);
    }
    place.rows[place.size++] = row;
  }
  return [...places.values()].map(({ window, rows, size }) => ({
    ...window,
    rows: rows.subarray(0, size),
  }));
}

function spansOf({ rows, counts }: CellRows): Spans {
  const first = new Uint8Array(rows).fill(MINUTES_PER_HOUR);
  const last = new Uint8Array(rows);
  for (let row = 0; row < rows; row++) {
    const start = row * MINUTES_PER_HOUR;
    let low = 0;
    while (low < MINUTES_PER_HOUR && counts[start + low] === 0) low++;
    if (low === MINUTES_PER_HOUR) continue;
    let high = MINUTES_PER_HOUR - 1;
    while (counts[start + high] === 0) high--;
    first[row] = low;
    last[row] = high;
  }
  return { first, last };
}

/** How many rows of an hour begin and end at each minute. */
interface Borders {
  rows: number;
  readonly firsts: Int32Array;
  readonly lasts: Int32Array;
}

function windowsOf(cells: CellRows, spans: Spans): Map<number, Window> {
  const hours = new Map<number, Borders>();
  for (let row = 0; row < cells.rows; row++) {
    const first = spans.first[row]!;
    const last = spans.last[row]!;
    if (first > last) continue;
    let hour = hours.get(cells.hoursMs[row]!);
    if (hour === undefined) {
      const minutes = (): Int32Array => new Int32Array(MINUTES_PER_HOUR);
      hour = { rows: 0, firsts: minutes(), lasts: minutes() };
      hours.set(cells.hoursMs[row]!, hour);
    }
    hour.rows++;
    hour.firsts[first]!++;
    hour.lasts[last]!++;
  }
  return new Map([...hours].map(([hourMs, borders]) => [hourMs, windowOf(borders)]));
}

/** The minutes that hold all rows but the stragglers, widened to few distinct windows. */
function windowOf({ rows, firsts, lasts }: Borders): Window {
  const allowed = Math.floor(rows * STRAGGLERS);
  let from = 0;
  for (let early = firsts[0]!; early <= allowed; early += firsts[from]!) from++;
  let last = MINUTES_PER_HOUR - 1;
  for (let late = lasts[last]!; late <= allowed; late += lasts[last]!) last--;
  const to = Math.max(from, last) + 1;
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
  const hoursMs = new Float64Array(n);
  const slots = new Int32Array(n);
  const counts = new Int32Array(n * width);
  for (let i = 0, out = 0; i < n; i++) {
    const row = rows[i]!;
    hoursMs[i] = cells.hoursMs[row]!;
    slots[i] = cells.slots[row]!;
    const at = row * MINUTES_PER_HOUR;
    for (let minute = from; minute < to; minute++) counts[out++] = cells.counts[at + minute]!;
  }
  await client.query({
    name: `add_cells_${String(from)}_${String(to)}`,
    text: addBlockSql(from, to),
    values: [
      encodeTimestamptzArray(hoursMs),
      encodeText(cells.filters, rows),
      encodeText(cells.ads, rows),
      encodeInt4Array(slots),
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

function encodeText(column: TextColumn, rows: Int32Array): Buffer {
  const starts = new Int32Array(rows.length);
  const ends = new Int32Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    starts[i] = column.starts[rows[i]!]!;
    ends[i] = column.ends[rows[i]!]!;
  }
  return encodeTextArray(column.bytes, starts, ends);
}
