/** The SQL under comparison. `$1..$4` are start, filter, ad_id (arrays) and the slot. */
export type CountType = 'integer' | 'bigint';

const KEY = 'start, filter, ad_id, slot';
const UNNEST = 'unnest($1::timestamptz[], $2::text[], $3::text[])';

export function createCells(table: string, fillfactor: number): string {
  return `create table ${table} (start timestamptz not null, filter text collate "C" not null,
    ad_id text collate "C" not null, slot integer not null, minute integer not null,
    count bigint not null, primary key (${KEY}, minute)) with (fillfactor = ${fillfactor})`;
}

export function createRows(table: string, type: CountType, fillfactor: number): string {
  return `create table ${table} (start timestamptz not null, filter text collate "C" not null,
    ad_id text collate "C" not null, slot integer not null, counts ${type}[] not null,
    primary key (${KEY})) with (fillfactor = ${fillfactor})`;
}

/** One row per cell. */
export function upsertCells(table: string): string {
  return `insert into ${table} as t (${KEY}, minute, count)
    select u.start, u.filter, u.ad_id, $4::int4, u.minute, u.count
    from unnest($1::timestamptz[], $2::text[], $3::text[], $5::int4[], $6::int8[])
      as u(start, filter, ad_id, minute, count)
    on conflict (${KEY}, minute) do update set count = t.count + excluded.count`;
}

/** Whole rows: `$5` holds `length` counts per row, flat. */
export function upsertRows(table: string, type: CountType, length: number, sum: string): string {
  return `insert into ${table} as t (${KEY}, counts)
    select u.start, u.filter, u.ad_id, $4::int4,
      ($5::${type}[])[(u.i::int4 - 1) * ${length} + 1 : u.i::int4 * ${length}]
    from ${UNNEST} with ordinality as u(start, filter, ad_id, i)
    on conflict (${KEY}) do update set counts = ${sum}`;
}

/** Whole rows copied into a temporary table before. */
export function mergeStaged(table: string, staging: string, sum: string): string {
  return `insert into ${table} as t (${KEY}, counts)
    select start, filter, ad_id, slot, counts from ${staging}
    on conflict (${KEY}) do update set counts = ${sum}`;
}

/** All rows touch minutes within [base, base + width): `$5` holds `width` counts per row. */
export function upsertWindow(
  table: string,
  type: CountType,
  length: number,
  base: number,
  width: number,
): string {
  const zeros = (n: number) => `'{${new Array(n).fill(0).join()}}'::${type}[]`;
  const sums = minutes(base + 1, width).map((m) => `t.counts[${m}] + excluded.counts[${m}]`);
  return `insert into ${table} as t (${KEY}, counts)
    select u.start, u.filter, u.ad_id, $4::int4, ${zeros(base)}
      || ($5::${type}[])[(u.i::int4 - 1) * ${width} + 1 : u.i::int4 * ${width}]
      || ${zeros(length - base - width)}
    from ${UNNEST} with ordinality as u(start, filter, ad_id, i)
    on conflict (${KEY}) do update
      set counts[${base + 1}:${base + width}] = array[${sums.join()}]`;
}

/** Each row has its own first minute (`$6`): `$5` holds `width` counts per row. */
export function mergeNarrow(table: string, type: CountType, length: number, width: number): string {
  const delta = (k: number) => `($5::${type}[])[s.i * ${width} + ${k + 1}]`;
  const sums = minutes(0, width).map((k) => `t.counts[s.base + ${k + 1}] + ${delta(k)}`);
  return `merge into ${table} as t using (
      select u.start, u.filter, u.ad_id, u.base, u.i::int4 - 1 as i
      from unnest($1::timestamptz[], $2::text[], $3::text[], $6::int4[])
        with ordinality as u(start, filter, ad_id, base, i)) as s
    on t.start = s.start and t.filter = s.filter and t.ad_id = s.ad_id and t.slot = $4::int4
    when matched then update
      set counts[s.base + 1 : s.base + ${width}] = array[${sums.join()}]
    when not matched then insert (${KEY}, counts)
      values (s.start, s.filter, s.ad_id, $4::int4, array_fill(0::${type}, array[s.base])
        || array[${minutes(0, width).map(delta).join()}]
        || array_fill(0::${type}, array[${length - width} - s.base]))`;
}

/** Element by element, written out. */
export function sumWrittenOut(length: number): string {
  return `array[${minutes(1, length)
    .map((m) => `t.counts[${m}] + excluded.counts[${m}]`)
    .join()}]`;
}

export const SUM_BY_SQL_FUNCTION = 'add_by_unnest(t.counts, excluded.counts)';
export const SUM_BY_PLPGSQL = 'add_by_loop(t.counts, excluded.counts)';

export const CREATE_FUNCTIONS = `
  create function add_by_unnest(x integer[], y integer[]) returns integer[] immutable strict
    language sql as 'select array(select a + b from unnest(x, y) as u(a, b))';
  create function add_by_loop(x integer[], y integer[]) returns integer[] immutable strict
    language plpgsql as
    'begin for i in 1 .. 60 loop x[i] := x[i] + y[i]; end loop; return x; end'`;

function minutes(first: number, n: number): number[] {
  return Array.from({ length: n }, (_, k) => first + k);
}
