/** A database with the 2,160 generations of one layout, and their pointers. */
import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { copyBinary } from '../live-layout/copy.js';
import { backendCpuMs } from '../live-layout/postgres.js';
import type { OwnPostgres } from '../live-layout/postgres.js';
import { allMinutes, cellRows, copyBody, int4, text } from './cells.js';
import type { CellRow } from './cells.js';
import {
  DAYS,
  REVISIONS,
  copyRows,
  fillSql,
  generationsOf,
  loadSteps,
  tableOf,
} from './layouts.js';
import type { Generation, Layout } from './layouts.js';
import { RELATION } from './queries.js';

export const FILTERS = 12;

/** In an empty database: the pointers, the relation, and of the product's schema what reads need. */
export async function createWorld(postgres: OwnPostgres, layout: Layout, ads: number) {
  const client = await postgres.connect();
  await client.query('alter system set autovacuum = off');
  await client.query(`select pg_reload_conf();
    create table pointers (hour timestamptz, revision integer, generation bigint not null,
      publication bigint not null, primary key (hour, revision));
    create table template (revision integer, filter text collate "C", ad_id text collate "C",
      counts integer[]);
    ${productFunctions()}
    ${layout.create};
    ${RELATION(layout)}`);
  for (let revision = 0; revision < REVISIONS; revision++) {
    const rows = templateRows(revision, ads).map((row) => {
      return [int4(revision), text(row.filter), text(row.adId), allMinutes(row.counts)];
    });
    await copyBinary(client, 'template', copyBody(rows));
  }
  for (let day = 0; day < DAYS; day++) {
    for (let revision = 0; revision < REVISIONS; revision++) {
      await fillRange(client, layout, generationsOf(day, revision), day * REVISIONS + revision + 1);
    }
  }
  await client.query('vacuum (freeze, analyze)');
  await client.query('checkpoint');
  await client.end();
}

/** One minute in 12 has clicks; of the first ads every one, of the last one in 60. */
export function templateRows(revision: number, ads: number): CellRow[] {
  return cellRows(revision + 1, FILTERS, ads, (rank) => 1 / (1 + Math.floor((rank * 60) / ads)));
}

async function fillRange(
  client: pg.Client,
  layout: Layout,
  generations: readonly Generation[],
  publication: number,
): Promise<void> {
  const groups = layout.generationsPerTable === 1 ? generations.map((one) => [one]) : [generations];
  for (const group of groups) await client.query(fillSql(layout, group));
  await client.query(
    `insert into pointers select to_timestamp(h / 1000), $2, g, $4
       from unnest($1::float8[], $3::bigint[]) as t (h, g)`,
    [
      generations.map(({ hourMs }) => hourMs),
      generations[0]!.revision,
      generations.map(({ id }) => id),
      publication,
    ],
  );
}

/** `hour_slices` and `clicks_between` as the product has them. */
export function productFunctions(): string {
  const file = new URL('../../../db/migrations/0002_views.sql', import.meta.url);
  const sql = readFileSync(file, 'utf8');
  const slices = /create function hour_slices[\s\S]*?\nend;/.exec(sql);
  const between = /do \$\$[\s\S]*?\$\$;/.exec(sql);
  if (!slices || !between) throw new Error(`no hour_slices or clicks_between in ${file.pathname}`);
  return `${slices[0]}\n${between[0]}`;
}

export interface Loaded {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly rows: number;
}

/** Loads generations that belong together, in one transaction, and counts what arrived. */
export async function load(
  client: pg.Client,
  pid: number,
  layout: Layout,
  generations: readonly Generation[],
  rows: readonly CellRow[],
): Promise<Loaded> {
  const all = generations.flatMap((generation) => [...copyRows(layout, generation, rows)]);
  const body = copyBody(all);
  const { before, after } = loadSteps(layout, generations);
  const cpuBefore = backendCpuMs(pid);
  const begin = performance.now();
  await client.query(`begin; ${before}`);
  await copyBinary(client, tableOf(layout, generations), body);
  await client.query(after);
  const ids = generations.map(({ id }) => String(id)).join();
  const hours = generations.map(({ hourMs }) => `'${new Date(hourMs).toISOString()}'`).join();
  const clicks = layout.form === 'cells' ? 'count' : 'clicks_between(counts, 1, 60)';
  const { rows: found } = await client.query<{ n: string }>(
    `select count(*) as n, sum(${clicks}) as clicks from ${tableOf(layout, generations)}
      where generation in (${ids}) ${layout.hasHour ? `and hour in (${hours})` : ''}`,
  );
  await client.query('commit');
  const wallMs = performance.now() - begin;
  if (Number(found[0]!.n) !== all.length) throw new Error(`${layout.name}: rows are missing`);
  return { wallMs, cpuMs: backendCpuMs(pid) - cpuBefore, rows: rows.length * generations.length };
}
