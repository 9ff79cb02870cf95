/**
 * Reads over 20,000 ads × 24 hours of one filter, by layout and order of the primary key. Of all
 * minutes one in 14 has clicks; the first ads' all have. Rows lie as a stream writes them.
 */
import type pg from 'pg';
import { backendCpuMs } from './postgres.js';
import type { OwnPostgres } from './postgres.js';
import { adName } from './workloads.js';

const ADS = 20_000;
const POINT_REPEATS = 200;
const TOP_REPEATS = 5;
const BY_HOUR = 'start, filter, ad_id, slot';
const BY_AD = 'ad_id, filter, start, slot';
const DAY = Date.UTC(2026, 10, 20);
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

interface Layout {
  readonly name: string;
  readonly table: string;
  /** Minutes per row; 1 is one row per cell. */
  readonly length: 1 | 15 | 60;
  readonly key: string;
}

const LAYOUTS: readonly Layout[] = [
  { name: 'A cells, hour first', table: 'a_hour', length: 1, key: `${BY_HOUR}, minute` },
  { name: 'A cells, ad first', table: 'a_ad', length: 1, key: `${BY_AD}, minute` },
  { name: 'int[60], hour first', table: 'b60_hour', length: 60, key: BY_HOUR },
  { name: 'int[60], ad first', table: 'b60_ad', length: 60, key: BY_AD },
  { name: 'int[15], hour first', table: 'b15_hour', length: 15, key: BY_HOUR },
];

export async function measureReads(postgres: OwnPostgres): Promise<string> {
  const client = await postgres.connect();
  await client.query('set plan_cache_mode = auto; set max_parallel_workers_per_gather = 0');
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  await load(client);
  const lines: string[] = [];
  for (const layout of LAYOUTS) {
    const measure = (from: number, to: number, top: boolean) =>
      measureQuery(client, rows[0]!.pid, layout, from, to, top);
    const at = DAY + 20 * HOUR_MS + 20 * MINUTE_MS;
    const figures = [
      await measure(at, at + HOUR_MS, false),
      await measure(DAY, DAY + 24 * HOUR_MS, false),
      await measure(at, at + 5 * MINUTE_MS, true),
      await measure(at, at + HOUR_MS, true),
      await sizes(client, layout.table),
    ];
    lines.push(`| ${[layout.name, ...figures].join(' | ')} |`);
  }
  await client.query('drop schema reads cascade');
  await client.end();
  return [
    `\n## reads (wall ms / backend CPU ms, medians of ${POINT_REPEATS} and ${TOP_REPEATS})`,
    '| layout | point 60 min | point 24 h | top-100 5 min | top-100 60 min | heap + index MB |',
    '|---|---|---|---|---|---|',
    ...lines,
  ].join('\n');
}

async function load(client: pg.Client): Promise<void> {
  await client.query(`create schema reads; set search_path = reads; select setseed(0.5)`);
  await client.query(
    `create table b60_hour as
     select h as start, f collate "C" as filter,
       'ad-' || lpad(a::text, 6, '0') collate "C" as ad_id,
       3 as slot, array(select case when random() < 5 / sqrt(a + 1) then 1 + (random() * 9)::int
         else 0 end from generate_series(1, 60) where a >= 0) as counts
     from generate_series($1::timestamptz, $1::timestamptz + interval '23 hours', '1 hour') as h,
       unnest(array['']) as f, generate_series(0, ${ADS} - 1) as a`,
    [new Date(DAY)],
  );
  await client.query(`create table b60_ad as table b60_hour;
    create table b15_hour as select start + q * interval '15 minutes' as start, filter, ad_id, slot,
      counts[q * 15 + 1 : q * 15 + 15] as counts from generate_series(0, 3) as q, b60_hour
      where 0 < (select sum(c) from unnest(counts[q * 15 + 1 : q * 15 + 15]) as c);
    create table a_hour as select start, filter, ad_id, slot,
        m::int - 1 as minute, c::bigint as count
      from b60_hour, unnest(counts) with ordinality as u(c, m) where c > 0;
    create table a_ad as table a_hour`);
  for (const { table, key } of LAYOUTS) {
    await client.query(`alter table ${table} add primary key (${key})`);
    await client.query(`vacuum analyze ${table}`);
  }
}

/** Each start of row in the range, with the literal minutes that count: what an API would build. */
function ranges(length: number, from: number, to: number): [string, number, number][] {
  const span = length === 1 ? HOUR_MS : length * MINUTE_MS;
  const out: [string, number, number][] = [];
  for (let start = Math.floor(from / span) * span; start < to; start += span) {
    const first = Math.max(0, (from - start) / MINUTE_MS);
    const end = Math.min(span, to - start) / MINUTE_MS;
    out.push([new Date(start).toISOString(), first, end]);
  }
  return out;
}

/** One branch for all whole rows, one for each partial one. */
function cellsSql(layout: Layout, from: number, to: number, where: string): string {
  const { table, length } = layout;
  const minutes = length === 1 ? 60 : length;
  const groups = new Map<string, string[]>();
  for (const [start, first, end] of ranges(length, from, to)) {
    const key = `${first} ${end}`;
    groups.set(key, [...(groups.get(key) ?? []), start]);
  }
  const branches = [...groups].map(([key, starts]) => {
    const [first, end] = key.split(' ').map(Number) as [number, number];
    const sum = Array.from({ length: end - first }, (_, k) => `counts[${first + k + 1}]::int8`);
    const isWhole = end - first === minutes;
    const minute = isWhole ? '' : ` and minute >= ${first} and minute < ${end}`;
    return `select ad_id, ${length === 1 ? 'count' : sum.join(' + ')} as n from ${table}
      where start = any ('{${starts.join()}}'::timestamptz[]) and filter = '' and ${where}
        ${length === 1 ? minute : ''}`;
  });
  return branches.join(' union all ');
}

async function measureQuery(
  client: pg.Client,
  pid: number,
  layout: Layout,
  from: number,
  to: number,
  top: boolean,
): Promise<string> {
  const cells = cellsSql(layout, from, to, top ? 'true' : 'ad_id = $1');
  const text = top
    ? `select ad_id, sum(n) as n from (${cells}) as c
       group by ad_id order by n desc, ad_id limit 100`
    : `select sum(n) as n from (${cells}) as c`;
  const wall: number[] = [];
  const cpu: number[] = [];
  for (let i = 0; i < (top ? TOP_REPEATS : POINT_REPEATS); i++) {
    const values = top ? [] : [adName((i * 7919) % ADS)];
    const cpuBefore = backendCpuMs(pid);
    const begin = performance.now();
    await client.query(text, values);
    wall.push(performance.now() - begin);
    cpu.push(backendCpuMs(pid) - cpuBefore);
  }
  const digits = top ? 0 : 2;
  return `${median(wall).toFixed(digits)} / ${median(cpu).toFixed(digits)}`;
}

async function sizes(client: pg.Client, table: string): Promise<string> {
  const { rows } = await client.query<{ heap: string; index: string }>(
    'select pg_table_size($1::regclass) as heap, pg_indexes_size($1::regclass) as index',
    [table],
  );
  const megabytes = (bytes: string) => (Number(bytes) / 1e6).toFixed(0);
  return `${megabytes(rows[0]!.heap)} + ${megabytes(rows[0]!.index)}`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
