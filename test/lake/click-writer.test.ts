import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FIELD_COLUMNS } from '../../core/click/shred.js';
import type { ShreddedClick } from '../../core/click/shred.js';
import { HOUR_MS } from '../../core/time.js';
import { ClickWriter, writerMemoryMb } from '../../lake/click-writer.js';
import { CLICK_COLUMNS } from '../../lake/columns.js';

const BYTES_MAX = 128 * 1024 * 1024;

let dir: string;
let writer: ClickWriter;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "it's-"));
  writer = await ClickWriter.open({ folder: dir, buckets: 4, memoryMb: writerMemoryMb(BYTES_MAX) });
});
afterEach(() => {
  writer.close();
  rmSync(dir, { recursive: true, force: true });
});

const T0 = Date.UTC(2026, 10, 21, 10);

function click(n: number, over: Partial<ShreddedClick> = {}): ShreddedClick {
  const fields = ['user', null, '', `c-${String(n % 7)}`, 'ü "quoted" \\ 😀'];
  const rest = n % 2 === 0 ? null : `{"n":${String(n)},"x":"\\ud800\\u0000"}`;
  const eventMs = T0 + n;
  return {
    kind: 'click',
    eventMs,
    adId: `ad-${String(n % 9)}`,
    eventId: `e${String(n)}`,
    fields,
    rest,
    ...over,
  };
}

async function read(path: string, sql = '*'): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const file = path.replaceAll("'", "''");
  const reader = await connection.runAndReadAll(`select ${sql} from read_parquet('${file}')`);
  const found = reader.getRows();
  connection.closeSync();
  instance.closeSync();
  return found;
}

test('a file has just the columns of the lake, and the rows in log order', async () => {
  const source = await writer.addSource('clicks', 3);
  for (let n = 4_999; n >= 0; n--) writer.add(source, n, T0 + 60_000, click(n));
  const path = await writer.write({ sources: [source], exceptHoursMs: [] });
  const rows = await read(path);
  expect(rows).toHaveLength(5_000);
  expect(rows.map((row) => Number(row[2]))).toEqual(Array.from({ length: 5_000 }, (_, n) => n));
  const { eventMs, adId, eventId, fields, rest } = click(4_321);
  const position = ['clicks', 3, 4_321n, BigInt(T0 + 60_000)];
  expect(rows[4_321]).toEqual([...position, BigInt(eventMs), adId, eventId, ...fields, rest]);
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const file = path.replaceAll("'", "''");
  const columns = await connection.runAndReadAll(`describe select * from read_parquet('${file}')`);
  expect(columns.getRows().map((row) => row.slice(0, 2))).toEqual(CLICK_COLUMNS.map((c) => [...c]));
  expect(CLICK_COLUMNS.slice(7, 12).map(([name]) => name)).toEqual([...FIELD_COLUMNS]);
  connection.closeSync();
  instance.closeSync();
});

test('groups and minutes tell what is buffered, and a file holds what is selected', async () => {
  const [a, b] = [await writer.addSource('t', 0), await writer.addSource('t', 1)];
  for (let n = 0; n < 300; n++) writer.add(n % 3 === 0 ? a : b, n, T0, click(n));
  for (let n = 0; n < 50; n++)
    writer.add(a, 300 + n, T0, click(n, { eventMs: T0 + HOUR_MS + 61_000 }));
  const groups = await writer.groups([a]);
  const sum = (hourMs: number) =>
    groups.filter((g) => g.hourMs === hourMs).reduce((total, g) => total + g.rows, 0);
  expect([sum(T0), sum(T0 + HOUR_MS)]).toEqual([100, 50]);
  const minutes = await writer.minutes([a, b]);
  expect(
    minutes.map((m) => [
      m.hourMs - T0,
      m.source,
      [...m.received.keys()].filter((i) => m.received[i]! > 0),
    ]),
  ) //
    .toEqual([
      [0, a, [0]],
      [0, b, [0]],
      [HOUR_MS, a, [1]],
    ]);
  const group = groups.find((g) => g.hourMs === T0)!;
  const one = await writer.write({ sources: [a], onlyHourMs: T0, bucket: group.bucket });
  expect(await read(one)).toHaveLength(group.rows);
  const rest = await writer.write({ sources: [a, b], exceptHoursMs: [T0] });
  expect(await read(rest)).toHaveLength(50);
  await writer.clear();
  expect(writer.bytes).toBe(0);
  expect(await writer.groups([a, b])).toEqual([]);
});

test.each([
  ['few long rows', 160, 200_000],
  ['rows of five kilobytes', 6_000, 5_000],
  ['many short ones', 400_000, 1],
  ['rows of a kilobyte', 110_000, 1_000],
])('memory in proportion to the buffer is enough for %s', async (_, n, chars) => {
  const source = await writer.addSource('t', 0);
  for (let i = 0; i < n; i++) {
    const rest = `{"x":"${String(i).padStart(chars, 'y')}"}`;
    writer.add(source, n - i, T0, click(i, { rest }));
  }
  expect(writer.bytes).toBeGreaterThan(70e6);
  expect(writer.bytes).toBeLessThan(BYTES_MAX);
  const path = await writer.write({ sources: [source], exceptHoursMs: [] });
  const columns = 'count(*), count(distinct rest), min(log_offset), max(log_offset)';
  const [found] = await read(path, columns);
  expect(found!.map(Number)).toEqual([n, n, 1, n]);
});
