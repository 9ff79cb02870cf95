/** The form of an hour's minutes in one table: all 60, trimmed, or a row per cell. */
import type pg from 'pg';
import { copyBinary } from '../live-layout/copy.js';
import type { OwnPostgres } from '../live-layout/postgres.js';
import { median } from '../support/report.js';
import type { Report, Row } from '../support/report.js';
import {
  adName,
  allMinutes,
  cellRows,
  cellsOf,
  copyBody,
  int4,
  int8,
  text,
  trimmedMinutes,
} from './cells.js';
import type { CellRow } from './cells.js';
import { session } from './session.js';
import { productFunctions } from './world.js';

const FILTERS = 12;
const POINTS = 100;
const TOPS = 9;
const HOURS = 24;

interface Load {
  readonly name: string;
  readonly ads: number;
  readonly share: (rank: number) => number;
}

const LOADS: readonly Load[] = [
  { name: 'sparse', ads: 2_000, share: () => 1 / 60 },
  { name: 'middling', ads: 1_000, share: () => 6 / 60 },
  { name: 'dense', ads: 500, share: () => 0.9 },
];

interface Form {
  readonly name: string;
  readonly columns: string;
  /** All columns but the generation. */
  readonly rest: string;
  readonly key: string;
  fields(row: CellRow): Buffer[][];
  /** Clicks of minutes `first`..`last` of row `c`. */
  clicks(first: number, last: number): string;
  where?(first: number, last: number): string;
}

const between = (fn: string) => (first: number, last: number) =>
  `${fn}(c.counts, ${String(first)}, ${String(last)})`;
const arrays = (name: string, encode: (counts: Int32Array) => Buffer, fn: string): Form => ({
  name,
  columns: 'counts integer[] not null',
  rest: 'filter, ad_id, counts',
  key: 'generation, filter, ad_id',
  fields: (row) => [[encode(row.counts)]],
  clicks: between(fn),
});

const FORMS: readonly Form[] = [
  {
    name: 'row per cell',
    columns: 'minute smallint not null, count integer not null',
    rest: 'filter, ad_id, minute, count',
    key: 'generation, filter, ad_id, minute',
    fields: (row) => cellsOf(row).map(([m, count]) => [int4(m).subarray(2), int4(count)]),
    clicks: () => 'c.count::bigint',
    where: (first, last) => `c.minute between ${String(first - 1)} and ${String(last - 1)}`,
  },
  arrays('int[60], clicks_between', allMinutes, 'clicks_between'),
  arrays('int[60], written out, coalesce', allMinutes, 'clicks_between_trimmed'),
  arrays('int[60], slice', allMinutes, 'clicks_in_slice'),
  arrays('trimmed, written out, coalesce', trimmedMinutes, 'clicks_between_trimmed'),
  arrays('trimmed, slice', trimmedMinutes, 'clicks_in_slice'),
];

/**
 * Subscripts outside of a trimmed array are null, so each of the 60 terms needs a default; a slice
 * takes what there is.
 */
const FUNCTIONS = `
  do $$
  begin
    execute format(
      'create or replace function clicks_between_trimmed(counts integer[], first integer,
         last integer) returns bigint language sql immutable return %s',
      (select string_agg(
                format('case when %s between first and last then coalesce(counts[%s], 0)::bigint
                        else 0 end', m, m), ' + ' order by m)
         from generate_series(1, 60) m));
  end;
  $$;
  create or replace function clicks_in_slice(counts integer[], first integer, last integer)
    returns bigint language sql immutable
    return (select coalesce(sum(c), 0) from unnest(counts[first:last]) c)`;

export async function measureForms(postgres: OwnPostgres): Promise<Report> {
  const { client } = await session(postgres);
  await client.query(`${productFunctions()}; ${FUNCTIONS}`);
  const rows: Row[] = [];
  for (const load of LOADS) {
    const cells = cellRows(11, FILTERS, load.ads, load.share);
    const answers = new Set<string>();
    for (const form of FORMS) {
      const { row, answer } = await measureForm(client, load, form, cells);
      rows.push(row);
      answers.add(answer);
    }
    if (answers.size !== 1) throw new Error(`forms disagree: ${[...answers].join('\n')}`);
  }
  await client.end();
  return {
    name: 'generations: form of the minutes',
    rows,
    notes: [
      'one table, 24 generations of each hour; bytes per row of an ad and filter',
      `medians: ${String(POINTS)} sums of an ad over 24 hours, ${String(TOPS)} top 10 of an hour`,
      'every form gave the same answers',
    ],
  };
}

async function measureForm(
  client: pg.Client,
  load: Load,
  form: Form,
  cells: readonly CellRow[],
): Promise<{ row: Row; answer: string }> {
  await client.query(`drop table if exists forms; create table forms (generation bigint not null,
    filter text collate "C" not null, ad_id text collate "C" not null, ${form.columns},
    primary key (${form.key}))`);
  const keys = (row: CellRow) => [int8(1), text(row.filter), text(row.adId)];
  const fields = cells.flatMap((row) => form.fields(row).map((rest) => [...keys(row), ...rest]));
  await copyBinary(client, 'forms', copyBody(fields));
  await client.query(`insert into forms select g, ${form.rest} from forms,
    generate_series(2, ${String(HOURS)}) g order by g, filter, ad_id`);
  await client.query('vacuum (freeze, analyze) forms');
  const { rows } = await client.query<{ heap: number; index: number }>(
    `select pg_table_size('forms')::float8 as heap, pg_indexes_size('forms')::float8 as index`,
  );
  const n = cells.length * HOURS;
  const where = (first: number, last: number) =>
    form.where === undefined ? '' : `and ${form.where(first, last)}`;
  const ids = Array.from({ length: HOURS }, (_, i) => i + 1).join();
  const point = (k: number) => `select coalesce(sum(${form.clicks(1, 60)}), 0)::bigint as n
    from forms c where generation in (${ids}) and filter = ''
    and ad_id = '${adName((k * 7919) % load.ads)}' ${where(1, 60)}`;
  const top = (first: number, last: number) => (k: number) => `select ad_id, n from (
      select ad_id, sum(clicks)::bigint as n from (
        select ad_id, ${form.clicks(first, last)} as clicks from forms c
         where generation = ${String(1 + (k % HOURS))} and filter = '' ${where(first, last)}
        offset 0) cell group by ad_id) ad
    where n > 0 order by n desc, ad_id limit 10`;
  const { heap, index } = rows[0]!;
  const points = await timed(client, POINTS, point);
  const hour = await timed(client, TOPS, top(1, 60));
  const five = await timed(client, TOPS, top(21, 25));
  const cellCount = cells.reduce((sum, row) => sum + cellsOf(row).length, 0);
  return {
    row: {
      hour: `${load.name}, ${(cellCount / cells.length).toFixed(1)} minutes a row`,
      form: form.name,
      'heap B': (heap / n).toFixed(0),
      'index B': (index / n).toFixed(0),
      'together B': ((heap + index) / n).toFixed(0),
      'point 24 h ms': points.ms.toFixed(2),
      [`top 10, 60 min ms`]: hour.ms.toFixed(2),
      [`top 10, 5 min ms`]: five.ms.toFixed(2),
      ads: load.ads,
    },
    answer: [points.answer, hour.answer, five.answer].join(),
  };
}

async function timed(
  client: pg.Client,
  times: number,
  sql: (k: number) => string,
): Promise<{ ms: number; answer: string }> {
  const wall: number[] = [];
  let answer = '';
  for (let k = 0; k < times + 2; k++) {
    const begin = performance.now();
    const { rows } = await client.query(sql(k));
    if (k >= 2) wall.push(performance.now() - begin);
    answer = JSON.stringify(rows);
  }
  return { ms: median(wall), answer };
}
