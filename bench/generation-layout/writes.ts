/** Loading one more generation, removing superseded ones, and the space of all. */
import type pg from 'pg';
import { backendCpuMs } from '../live-layout/postgres.js';
import type { OwnPostgres } from '../live-layout/postgres.js';
import { median } from '../support/report.js';
import { adName } from './cells.js';
import { DAYS, FIRST_HOUR_MS, HOUR_MS, generationsOf, removeSql } from './layouts.js';
import type { Generation, Layout } from './layouts.js';
import { questions, sqlOf } from './queries.js';
import { session } from './session.js';
import { load, templateRows } from './world.js';

const LOADS = 5;

export interface WriteFigures {
  readonly loadMs: number;
  readonly loadCpuMs: number;
  readonly loadRowsPerSecond: number;
  readonly removeOneMs: number;
  readonly removeRangeMs: number;
  readonly vacuumMs: number;
  readonly vacuumCpuMs: number;
  /** Whether removing one waits for a reader whose transaction is open. */
  readonly removalWaits: boolean;
}

/** Loads a fourth revision of some hours; removes superseded generations. */
export async function measureWrites(
  postgres: OwnPostgres,
  layout: Layout,
  ads: number,
): Promise<WriteFigures> {
  const { client, pid } = await session(postgres);
  const rows = templateRows(0, ads);
  const loads = [];
  for (let i = 0; i <= LOADS; i++) {
    const range = generationsOf(DAYS + i, 0).map((generation, hour) => ({
      ...generation,
      hourMs: FIRST_HOUR_MS + (i * 24 + hour) * HOUR_MS,
    }));
    const together = layout.generationsPerTable === 24 ? range : range.slice(0, 1);
    const loaded = await load(client, pid, layout, together, rows);
    if (i > 0) loads.push(loaded);
  }
  const timed = async (sql: string) => {
    const begin = performance.now();
    await client.query(sql);
    return performance.now() - begin;
  };
  const ones = [];
  for (let day = 0; day < LOADS; day++) {
    ones.push(await timed(removeSql(layout, generationsOf(day, 0).slice(5, 6))));
  }
  const ranges = [];
  for (let day = 5; day < 8; day++)
    ranges.push(await timed(removeSql(layout, generationsOf(day, 0))));
  const cpuBefore = backendCpuMs(pid);
  const vacuumMs = layout.generationsPerTable === 1 ? 0 : await timed('vacuum generation_cells');
  const vacuumCpuMs = backendCpuMs(pid) - cpuBefore;
  const removalWaits = await waitsForReader(postgres, client, layout, generationsOf(9, 0));
  await client.end();
  const loadMs = median(loads.map(({ wallMs }) => wallMs));
  return {
    loadMs,
    loadCpuMs: median(loads.map(({ cpuMs }) => cpuMs)),
    loadRowsPerSecond: (loads[0]!.rows / loadMs) * 1000,
    removeOneMs: median(ones),
    removeRangeMs: median(ranges),
    vacuumMs,
    vacuumCpuMs,
    removalWaits,
  };
}

async function waitsForReader(
  postgres: OwnPostgres,
  client: pg.Client,
  layout: Layout,
  generations: readonly Generation[],
): Promise<boolean> {
  const reader = await session(postgres);
  await reader.client.query('begin');
  await reader.client.query(sqlOf(layout, 'view', questions(1, adName(1))[0]!));
  await client.query("set lock_timeout = '500ms'");
  const all = layout.generationsPerTable === 24 ? generations : generations.slice(0, 1);
  const waited = await client.query(removeSql(layout, all)).then(
    () => false,
    (error: { code?: string }) => {
      if (error.code !== '55P03') throw error;
      return true;
    },
  );
  await client.query('reset lock_timeout');
  await reader.client.end();
  return waited;
}

export interface Size {
  readonly heapMb: number;
  readonly indexMb: number;
  readonly relations: number;
}

export async function measureSize(postgres: OwnPostgres): Promise<Size> {
  const { client } = await session(postgres);
  const { rows } = await client.query<{ heap: number; index: number; n: number }>(
    `select sum(pg_table_size(oid))::float8 / 1e6 as heap, count(*)::int as n,
            sum(pg_indexes_size(oid))::float8 / 1e6 as index
       from pg_class where relkind = 'r' and (oid = 'generation_cells'::regclass or
            oid in (select inhrelid from pg_inherits where inhparent = 'generation_cells'::regclass))`,
  );
  await client.end();
  return { heapMb: rows[0]!.heap, indexMb: rows[0]!.index, relations: rows[0]!.n };
}
