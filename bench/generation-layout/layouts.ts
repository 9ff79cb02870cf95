/** The layouts under test: how generations lie in tables, how one more is loaded, how one is removed. */
import { allMinutes, cellsOf, int4, int8, text, timestamp } from './cells.js';
import type { CellRow } from './cells.js';

export const DAYS = 30;
export const REVISIONS = 3;
export const FIRST_HOUR_MS = Date.UTC(2026, 9, 1);
export const HOUR_MS = 3_600_000;

export interface Generation {
  readonly id: number;
  readonly hourMs: number;
  readonly revision: number;
}

/** The generations of a published range: one revision of the 24 hours of a day. */
export function generationsOf(day: number, revision: number): Generation[] {
  return Array.from({ length: 24 }, (_, hour) => ({
    id: (day * REVISIONS + revision) * 24 + hour + 1,
    hourMs: FIRST_HOUR_MS + (day * 24 + hour) * HOUR_MS,
    revision,
  }));
}

/** What is loaded together: a generation, or the generations of a range where a table holds a range. */
export interface Layout {
  readonly name: string;
  readonly form: 'cells' | 'minutes';
  /** Join condition beside the generation's id, where the table is partitioned by the hour. */
  readonly hasHour: boolean;
  /** Of the parent, or of the only table. */
  readonly create: string;
  /** Generations that share a partition made for them; 0: a load makes no table. */
  readonly generationsPerTable: 0 | 1 | 24;
}

const KEYS = 'filter text collate "C" not null, ad_id text collate "C" not null';
const CELLS = `generation bigint not null, ${KEYS}, minute smallint not null, count integer not null`;
const MINUTES = `generation bigint not null, ${KEYS}, counts integer[] not null`;
const MINUTES_KEY = 'primary key (generation, filter, ad_id)';

const byDay = Array.from({ length: DAYS }, (_, day) => {
  const at = (d: number) => `'${new Date(FIRST_HOUR_MS + d * 24 * HOUR_MS).toISOString()}'`;
  return `create table day_${String(day)} partition of generation_cells
    for values from (${at(day)}) to (${at(day + 1)});`;
}).join('\n');

export const LAYOUTS = {
  a: {
    name: 'A cells, table per generation',
    form: 'cells',
    hasHour: false,
    create: `create table generation_cells (${CELLS},
      primary key (generation, filter, ad_id, minute)) partition by list (generation)`,
    generationsPerTable: 1,
  },
  b: {
    name: 'B int[60], table per generation',
    form: 'minutes',
    hasHour: false,
    create: `create table generation_cells (${MINUTES}, ${MINUTES_KEY})
      partition by list (generation)`,
    generationsPerTable: 1,
  },
  c: {
    name: 'C int[60], table per range',
    form: 'minutes',
    hasHour: false,
    create: `create table generation_cells (${MINUTES}, ${MINUTES_KEY})
      partition by list (generation)`,
    generationsPerTable: 24,
  },
  d: {
    name: 'D int[60], one table',
    form: 'minutes',
    hasHour: false,
    create: `create table generation_cells (${MINUTES}, ${MINUTES_KEY})`,
    generationsPerTable: 0,
  },
  e: {
    name: 'E int[60], table per day',
    form: 'minutes',
    hasHour: true,
    create: `create table generation_cells (hour timestamptz not null, ${MINUTES},
      primary key (hour, generation, filter, ad_id)) partition by range (hour); ${byDay}`,
    generationsPerTable: 0,
  },
} as const satisfies Record<string, Layout>;

/** The table that holds these generations; for a layout without tables of theirs, the relation. */
export function tableOf(layout: Layout, generations: readonly Generation[]): string {
  return layout.generationsPerTable === 0
    ? 'generation_cells'
    : `cells_of_${String(generations[0]!.id)}`;
}

/** Statements before and after the COPY; all of them in one transaction with it. */
export function loadSteps(
  layout: Layout,
  generations: readonly Generation[],
): { before: string; after: string } {
  if (layout.generationsPerTable === 0) return { before: '', after: '' };
  const table = tableOf(layout, generations);
  const ids = generations.map(({ id }) => String(id)).join();
  const key =
    layout.form === 'cells' ? 'generation, filter, ad_id, minute' : 'generation, filter, ad_id';
  return {
    before: `create table ${table} (like generation_cells, check (generation in (${ids})))`,
    after: `alter table ${table} add primary key (${key});
      alter table generation_cells attach partition ${table} for values in (${ids})`,
  };
}

/** Rows of one generation as the layout's table has them, in the order of its key. */
export function* copyRows(
  layout: Layout,
  generation: Generation,
  rows: readonly CellRow[],
): Generator<Buffer[]> {
  const id = int8(generation.id);
  const head = layout.hasHour ? [timestamp(generation.hourMs), id] : [id];
  for (const row of rows) {
    const keys = [...head, text(row.filter), text(row.adId)];
    if (layout.form === 'minutes') {
      yield [...keys, allMinutes(row.counts)];
      continue;
    }
    for (const [minute, count] of cellsOf(row)) {
      yield [...keys, int4(minute).subarray(2), int4(count)];
    }
  }
}

/** Fills the table with these generations out of `template`; outside what is measured. */
export function fillSql(layout: Layout, generations: readonly Generation[]): string {
  const table = tableOf(layout, generations);
  const ids = generations.map(({ id }) => String(id)).join();
  const create =
    layout.generationsPerTable === 0
      ? ''
      : `create table ${table} partition of generation_cells for values in (${ids});`;
  const inserts = generations.map(({ id, hourMs, revision }) => {
    const hour = layout.hasHour ? `'${new Date(hourMs).toISOString()}', ` : '';
    const [columns, from] =
      layout.form === 'cells'
        ? ['m - 1, c', 'template, unnest(counts) with ordinality as u (c, m)']
        : ['counts', 'template'];
    return `insert into ${table} select ${hour}${String(id)}, filter, ad_id, ${columns}
      from ${from} where revision = ${String(revision)}
      ${layout.form === 'cells' ? 'and c > 0' : ''} order by filter, ad_id`;
  });
  return `${create}\n${inserts.join(';\n')}`;
}

/** Removes generations that nothing serves, all of the same table where they have one. */
export function removeSql(layout: Layout, generations: readonly Generation[]): string {
  if (layout.generationsPerTable === 1) {
    return generations.map((one) => `drop table ${tableOf(layout, [one])}`).join(';\n');
  }
  if (layout.generationsPerTable === 24 && generations.length === 24) {
    return `drop table ${tableOf(layout, generations)}`;
  }
  const ids = generations.map(({ id }) => String(id)).join();
  const hours = generations.map(({ hourMs }) => `'${new Date(hourMs).toISOString()}'`).join();
  const hour = layout.hasHour ? `hour in (${hours}) and ` : '';
  return `delete from generation_cells where ${hour}generation in (${ids})`;
}
