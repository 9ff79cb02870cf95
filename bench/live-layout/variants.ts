/** What is compared: a table, and how a flush becomes statements on it. */
import type pg from 'pg';
import {
  encodeInt4Array,
  encodeInt8Array,
  encodeTextArrayFromStrings,
  encodeTimestamptzArray,
} from '../../store/pg-array.js';
import { copyBinary, encodeCopyRows } from './copy.js';
import { foldRows, pickRows } from './rows.js';
import type { Rows } from './rows.js';
import * as sql from './statements.js';
import type { CountType } from './statements.js';
import type { Cells } from './workloads.js';

/** The parameters are encoded before the clock starts; `run` is what the backend sees. */
export interface Flush {
  readonly rows: number;
  readonly beforeTransaction?: (client: pg.Client) => Promise<void>;
  readonly run: (client: pg.Client) => Promise<void>;
}

export interface Variant {
  readonly name: string;
  readonly create: (table: string) => string;
  readonly encode: (table: string, cells: Cells) => Flush;
}

const SLOT = 3;

export function oneRowPerCell(fillfactor: number): Variant {
  return {
    name: `A cell rows ff${fillfactor}`,
    create: (table) => sql.createCells(table, fillfactor),
    encode: (table, cells) => {
      const values = [
        encodeTimestamptzArray(cells.hour),
        encodeTextArrayFromStrings(cells.filter),
        encodeTextArrayFromStrings(cells.ad),
        SLOT,
        encodeInt4Array(cells.minute),
        encodeInt8Array(Float64Array.from(cells.count)),
      ];
      return { rows: cells.n, run: (client) => execute(client, sql.upsertCells(table), values) };
    },
  };
}

export interface RowOptions {
  readonly label: string;
  readonly fillfactor: number;
  readonly type?: CountType;
  readonly length?: number;
  readonly form: 'dense' | 'window' | 'spans' | 'narrow' | 'staged';
  readonly sum?: string;
}

export function minutesInRows(options: RowOptions): Variant {
  const { label, fillfactor, type = 'integer', length = 60, form } = options;
  const sum = options.sum ?? sql.sumWrittenOut(length);
  const dense = (table: string, rows: Rows) => denseStatement(table, rows, type, sum);
  const encoders = {
    dense: (table: string, rows: Rows) => [dense(table, rows)],
    window: (table: string, rows: Rows) => windowStatements(table, rows, type, dense),
    spans: (table: string, rows: Rows) => spanStatements(table, rows, type),
    narrow: (table: string, rows: Rows) => narrowStatements(table, rows, type, dense),
  };
  return {
    name: `${label} ff${fillfactor}`,
    create: (table) => sql.createRows(table, type, fillfactor),
    encode: (table, cells) => {
      const rows = foldRows(cells, length);
      if (form === 'staged') return stagedFlush(table, rows, sum);
      const statements = encoders[form](table, rows);
      return {
        rows: rows.n,
        run: async (client) => {
          for (const { text, values } of statements) await execute(client, text, values);
        },
      };
    },
  };
}

interface Statement {
  readonly text: string;
  readonly values: unknown[];
}
type Dense = (table: string, rows: Rows) => Statement;

function denseStatement(table: string, rows: Rows, type: CountType, sum: string): Statement {
  return {
    text: sql.upsertRows(table, type, rows.length, sum),
    values: [...keyOf(rows), encodeCounts(rows.counts, type)],
  };
}

/** One statement per start of row, for the minutes that it touches; dense if they are many. */
function windowStatements(table: string, rows: Rows, type: CountType, dense: Dense): Statement[] {
  return groupRows(rows, (i) => rows.start[i]!).map((part) => {
    const base = part.from.reduce((a, b) => Math.min(a, b));
    const width = part.to.reduce((a, b) => Math.max(a, b)) + 1 - base;
    if (width > rows.length / 2) return dense(table, part);
    return windowStatement(table, part, type, base, width);
  });
}

/** One statement per range of minutes touched, whatever the start. */
function spanStatements(table: string, rows: Rows, type: CountType): Statement[] {
  return groupRows(rows, (i) => rows.from[i]! * 60 + rows.to[i]!).map((part) => {
    const base = part.from[0]!;
    return windowStatement(table, part, type, base, part.to[0]! + 1 - base);
  });
}

function windowStatement(
  table: string,
  rows: Rows,
  type: CountType,
  base: number,
  width: number,
): Statement {
  const counts = cut(rows, width, () => base);
  return {
    text: sql.upsertWindow(table, type, rows.length, base, width),
    values: [...keyOf(rows), encodeCounts(counts, type)],
  };
}

function groupRows(rows: Rows, groupOf: (i: number) => number): Rows[] {
  const groups = new Map<number, number[]>();
  for (let i = 0; i < rows.n; i++) {
    const group = groups.get(groupOf(i));
    if (group === undefined) groups.set(groupOf(i), [i]);
    else group.push(i);
  }
  return [...groups.values()].map((indexes) => pickRows(rows, indexes));
}

/** Rows that touch at most two adjacent minutes by MERGE, the rest dense. */
function narrowStatements(table: string, rows: Rows, type: CountType, dense: Dense): Statement[] {
  const width = 2;
  const narrow: number[] = [];
  const wide: number[] = [];
  for (let i = 0; i < rows.n; i++) {
    (rows.to[i]! - rows.from[i]! < width ? narrow : wide).push(i);
  }
  const statements: Statement[] = [];
  if (narrow.length > 0) {
    const part = pickRows(rows, narrow);
    const base = part.from.map((m) => Math.min(m, rows.length - width));
    const counts = cut(part, width, (i) => base[i]!);
    statements.push({
      text: sql.mergeNarrow(table, type, rows.length, width),
      values: [...keyOf(part), encodeCounts(counts, type), encodeInt4Array(base)],
    });
  }
  if (wide.length > 0) statements.push(dense(table, pickRows(rows, wide)));
  return statements;
}

function stagedFlush(table: string, rows: Rows, sum: string): Flush {
  const staging = `staging_${table}`;
  const body = encodeCopyRows(rows, SLOT);
  return {
    rows: rows.n,
    beforeTransaction: async (client) => {
      await client.query(`create temp table if not exists ${staging} (like ${table})`);
      await client.query(`truncate ${staging}`);
      await copyBinary(client, staging, body);
    },
    run: async (client) => {
      await client.query(sql.mergeStaged(table, staging, sum));
    },
  };
}

/** `width` counts of each row from its own base on. */
function cut(rows: Rows, width: number, baseOf: (i: number) => number): Int32Array {
  const counts = new Int32Array(rows.n * width);
  for (let i = 0; i < rows.n; i++) {
    const first = i * rows.length + baseOf(i);
    counts.set(rows.counts.subarray(first, first + width), i * width);
  }
  return counts;
}

function keyOf(rows: Rows): unknown[] {
  return [
    encodeTimestamptzArray(rows.start),
    encodeTextArrayFromStrings(rows.filter),
    encodeTextArrayFromStrings(rows.ad),
    SLOT,
  ];
}

function encodeCounts(counts: Int32Array, type: CountType): Buffer {
  return type === 'integer' ? encodeInt4Array(counts) : encodeInt8Array(Float64Array.from(counts));
}

/** Unnamed: parsing and planning cost less than 1 ms, and nothing piles up in the session. */
async function execute(client: pg.Client, text: string, values: unknown[]): Promise<void> {
  await client.query(text, values);
}
