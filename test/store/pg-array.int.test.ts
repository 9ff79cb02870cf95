import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  encodeInt4Array,
  encodeInt8Array,
  encodeTextArray,
  encodeTextArrayFromStrings,
  encodeTimestamptzArray,
} from '../../store/pg-array.js';
import { freshDatabase, type TestDatabase } from '../support/stack.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(async () => {
  await database.close();
});

/** What Postgres makes of the array, as its own text form of each element. */
async function readBack(array: Buffer, type: string): Promise<string[]> {
  const { rows } = await database.pool.query<{ v: string }>(
    `select u.v::text as v from unnest($1::${type}[]) with ordinality as u (v, i) order by u.i`,
    [array],
  );
  return rows.map(({ v }) => v);
}

it('Postgres reads the integers that were written, to their limits', async () => {
  const int4 = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)];
  expect(await readBack(encodeInt4Array(Int32Array.from(int4)), 'int4')).toEqual(int4.map(String));
  const safe = [0, -1, 2 ** 32, -(2 ** 32) - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
  expect(await readBack(encodeInt8Array(Float64Array.from(safe)), 'int8')).toEqual(
    safe.map(String),
  );
  const int8 = [2n ** 63n - 1n, -(2n ** 63n), 0n];
  expect(await readBack(encodeInt8Array(BigInt64Array.from(int8)), 'int8')).toEqual(
    int8.map(String),
  );
});

it('Postgres reads the instants that were written, before and after its own epoch', async () => {
  const instants = ['1969-12-31T23:59:59.999Z', '2000-01-01T00:00:00.000Z', '2026-11-21T10:00:00Z'];
  const epochMs = Float64Array.from(instants, (instant) => Date.parse(instant));
  const { rows } = await database.pool.query<{ t: Date }>(
    'select u.t from unnest($1::timestamptz[]) with ordinality as u (t, i) order by u.i',
    [encodeTimestamptzArray(epochMs)],
  );
  expect(rows.map(({ t }) => t.getTime())).toEqual([...epochMs]);
});

it('Postgres reads text of any length and plane, from strings and from byte ranges', async () => {
  const texts = ['', 'country:US', 'é', '广告', '😀', '"{},\\ NULL', 'x'.repeat(1_024)];
  expect(await readBack(encodeTextArrayFromStrings(texts), 'text')).toEqual(texts);
  const bytes = Buffer.from('ad-1ad-22');
  const ranges = encodeTextArray(bytes, Int32Array.of(4, 0, 4), Int32Array.of(9, 4, 4));
  expect(await readBack(ranges, 'text')).toEqual(['ad-22', 'ad-1', '']);
});

it('an empty array is one without elements', async () => {
  const { rows } = await database.pool.query<{ n: number; same: boolean }>(
    `select cardinality($1::int4[]) as n, $2::text[] = '{}' as same`,
    [encodeInt4Array(new Int32Array(0)), encodeTextArrayFromStrings([])],
  );
  expect(rows[0]).toEqual({ n: 0, same: true });
});

it('Postgres refuses a zero byte in text', async () => {
  await expect(readBack(encodeTextArrayFromStrings(['a\0b']), 'text')).rejects.toMatchObject({
    code: '22021',
  });
});

it('a slice of a flat array is a row of it, which the flush relies on', async () => {
  const { rows } = await database.pool.query<{ part: number[] }>(
    'select ($1::int4[])[(i - 1) * 3 + 1 : i * 3] as part from generate_series(1, 2) as i',
    [encodeInt4Array(Int32Array.of(1, 2, 3, 4, 5, 6))],
  );
  expect(rows.map(({ part }) => part)).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ]);
});
