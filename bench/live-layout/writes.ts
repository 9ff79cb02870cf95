/** Runs the flushes of a workload through every variant and reports medians per round. */
import type pg from 'pg';
import { backendCpuMs } from './postgres.js';
import type { OwnPostgres } from './postgres.js';
import { CREATE_FUNCTIONS } from './statements.js';
import type { Variant } from './variants.js';
import type { Workload } from './workloads.js';

interface Sample {
  flushes: number;
  clicks: number;
  rows: number;
  wallMs: number;
  cpuMs: number;
  walBytes: number;
}

export async function measureWrites(
  postgres: OwnPostgres,
  workload: Workload,
  variants: readonly Variant[],
  rounds: number,
  warmUpRounds: number,
): Promise<string> {
  const client = await postgres.connect();
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  await client.query('set enable_hashjoin = off; set enable_mergejoin = off');
  await client.query(`drop schema if exists bench cascade; create schema bench;
    set search_path = bench; ${CREATE_FUNCTIONS}`);
  for (const [v, variant] of variants.entries()) await client.query(variant.create(`t${v}`));
  const samples = variants.map((): Sample[] => []);
  for (let round = -warmUpRounds; round < rounds; round++) {
    const sums = variants.map(() => ({ ...NOTHING }));
    for (let f = 0; f < workload.flushesPerRound; f++) {
      const index = (round + warmUpRounds) * workload.flushesPerRound + f;
      const cells = workload.flush(index);
      for (let k = 0; k < variants.length; k++) {
        const v = (k + index) % variants.length;
        const flush = variants[v]!.encode(`t${v}`, cells);
        const cost = await timed(client, rows[0]!.pid, flush);
        add(sums[v]!, { flushes: 1, clicks: cells.clicks, rows: flush.rows, ...cost });
      }
    }
    if (round >= 0) sums.forEach((sum, v) => samples[v]!.push(sum));
  }
  const sameTotals = await checkTotals(client, variants.length);
  const lines: string[] = [];
  for (const [v, variant] of variants.entries()) {
    lines.push(await report(client, variant.name, `t${v}`, samples[v]!));
  }
  await client.query('drop schema bench cascade');
  await client.end();
  return [`\n## ${workload.name} (medians of ${rounds} rounds; totals equal: ${sameTotals})`, HEAD]
    .concat(lines)
    .join('\n');
}

const NOTHING: Sample = { flushes: 0, clicks: 0, rows: 0, wallMs: 0, cpuMs: 0, walBytes: 0 };

function add(sum: Sample, one: Sample): void {
  for (const key of Object.keys(NOTHING) as (keyof Sample)[]) sum[key] += one[key];
}

type Timed = Pick<Sample, 'wallMs' | 'cpuMs' | 'walBytes'>;

async function timed(
  client: pg.Client,
  pid: number,
  flush: ReturnType<Variant['encode']>,
): Promise<Timed> {
  const walBefore = await walPosition(client);
  const cpuBefore = backendCpuMs(pid);
  const begin = performance.now();
  await flush.beforeTransaction?.(client);
  await client.query('begin');
  await flush.run(client);
  await client.query('commit');
  const wallMs = performance.now() - begin;
  const cpuMs = backendCpuMs(pid) - cpuBefore;
  return { wallMs, cpuMs, walBytes: (await walPosition(client)) - walBefore };
}

async function walPosition(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ bytes: string }>(
    "select pg_current_wal_insert_lsn() - '0/0'::pg_lsn as bytes",
  );
  return Number(rows[0]!.bytes);
}

/** All variants must have counted the same. */
async function checkTotals(client: pg.Client, tables: number): Promise<boolean> {
  const totals = new Set<string>();
  for (let v = 0; v < tables; v++) {
    const { rows } = await client.query<{ column_name: string }>(
      `select column_name from information_schema.columns
       where table_schema = 'bench' and table_name = $1 and column_name like 'count%'`,
      [`t${v}`],
    );
    const total =
      rows[0]!.column_name === 'count'
        ? `select sum(count) as total from t${v}`
        : `select sum(c) as total from t${v}, unnest(counts) as c`;
    totals.add((await client.query<{ total: string }>(total)).rows[0]!.total);
  }
  return totals.size === 1;
}

const HEAD = [
  '| variant | clicks/s | clicks per CPU s | rows per CPU s | wall ms/flush | CPU ms/flush |' +
    ' WAL B/click | heap MB | index MB | HOT |',
  '|---|---|---|---|---|---|---|---|---|---|',
].join('\n');

async function report(
  client: pg.Client,
  name: string,
  table: string,
  samples: readonly Sample[],
): Promise<string> {
  await client.query('select pg_stat_force_next_flush()');
  const { rows } = await client.query<{ heap: string; index: string; hot: string | null }>(
    `select pg_table_size(relid) as heap, pg_indexes_size(relid) as index,
       round(100.0 * n_tup_hot_upd / nullif(n_tup_upd, 0)) as hot
     from pg_stat_user_tables where schemaname = 'bench' and relname = $1`,
    [table],
  );
  const of = (value: (s: Sample) => number) => median(samples.map(value));
  const size = rows[0]!;
  const cells = [
    name,
    thousands(of((s) => (s.clicks / s.wallMs) * 1000)),
    thousands(of((s) => (s.clicks / s.cpuMs) * 1000)),
    thousands(of((s) => (s.rows / s.cpuMs) * 1000)),
    of((s) => s.wallMs / s.flushes).toFixed(0),
    of((s) => s.cpuMs / s.flushes).toFixed(0),
    of((s) => s.walBytes / s.clicks).toFixed(0),
    (Number(size.heap) / 1e6).toFixed(0),
    (Number(size.index) / 1e6).toFixed(0),
    size.hot === null ? '-' : `${size.hot} %`,
  ];
  return `| ${cells.join(' | ')} |`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

function thousands(value: number): string {
  return `${(value / 1000).toFixed(0)} k`;
}
