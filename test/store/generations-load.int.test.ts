import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CellRow } from '../../core/generation-draft.js';
import { TruecountError } from '../../core/errors.js';
import { CellsChecksum, hashInputs } from '../../core/generation.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { loadGeneration } from '../../store/generations/load.js';
import { openSession } from '../../store/session.js';
import { cellRow, cellRows, draftOf, rowsOf, storeHour } from '../support/cell-rows.js';
import type { SparseRow } from '../support/cell-rows.js';
import { freshDatabase } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';
import { until } from '../support/until.js';

const HOUR_MS = Date.UTC(2026, 0, 1);
const RULES: RuleSet = {
  version: 1,
  dimensions: [
    { name: 'country', field: 'country' },
    { name: 'device', field: 'device' },
  ],
};
const CUT = [
  { topic: 't', partition: 0, nextOffset: 9 },
  { topic: 't', partition: 1, nextOffset: 7 },
];
const ROWS = rowsOf(RULES, [
  ['ad-1', 0, 'US', 'phone'],
  ['ad-1', 0, 'DE', 'phone'],
  ['ad-1', 59, 'US', 'tv'],
  ['ad-2', 7, 'US', 'phone'],
]);

describe('loading a generation', () => {
  let database: TestDatabase;
  let one: pg.Client;
  let two: pg.Client;

  beforeEach(async () => {
    database = await freshDatabase();
    const session = { connection: { connectionString: database.url } };
    one = await openSession({ ...session, applicationName: 'one' });
    two = await openSession({ ...session, applicationName: 'two' });
    await storeHour(database, HOUR_MS, RULES, CUT);
  });
  afterEach(async () => {
    await one.end().catch(() => undefined);
    await two.end().catch(() => undefined);
    await database.close();
  });

  const draft = (rows = ROWS, more = {}) =>
    draftOf({ hourMs: HOUR_MS, ruleSet: RULES, cut: CUT, rows, duplicate: { 3: 2 }, ...more });

  async function stored(id: number): Promise<SparseRow[]> {
    const { rows } = await database.pool.query<{ filter: string; ad_id: string; counts: number[] }>(
      'select filter, ad_id, counts from generation_cells where generation = $1 order by 1, 2',
      [id],
    );
    return rows.map(({ filter, ad_id: adId, counts }) => [
      filter,
      adId,
      Object.fromEntries(counts.flatMap((n, minute) => (n === 0 ? [] : [[minute, n]]))),
    ]);
  }

  async function leftovers(): Promise<number> {
    const { rows } = await database.pool.query<{ n: string }>(
      `select (select count(*) from generations) + (select count(*) from generation_cells)
            + (select count(*) from generation_cuts) + (select count(*) from examined_cuts) as n`,
    );
    return Number(rows[0]!.n);
  }

  async function errorOf(work: Promise<unknown>): Promise<TruecountError> {
    const error: unknown = await work.then(
      () => new Error('it did not fail'),
      (e: unknown) => e,
    );
    if (error instanceof TruecountError) return error;
    throw error;
  }

  test('writes its cells, flow, cut, files and how far it has examined', async () => {
    const file = await database.pool.query<{ id: string }>(
      `insert into lake_files (key, bytes, sha256, rows, bucket, buckets, min_event_ms, max_event_ms)
       values ('f', 1, repeat('a', 64), 6, 0, 1, 0, 1) returning id`,
    );
    const fileId = Number(file.rows[0]!.id);
    const loaded = await loadGeneration(one, draft(ROWS, { fileIds: [fileId] }), cellRows(ROWS));

    const checksum = new CellsChecksum();
    for (const { filter, adId, counts } of ROWS.map(cellRow)) checksum.add(filter, adId, counts);
    expect(loaded).toEqual({
      id: loaded.id,
      checksum: checksum.digest(),
      rows: ROWS.length,
      cells: checksum.cells,
      clicks: 4,
      existed: false,
    });
    expect(await stored(loaded.id)).toEqual(ROWS);
    const { rows } = await database.pool.query(
      `select g.inputs_hash, g.checksum, g.rows::int, g.cells::int, g.counted[1]::int as first,
              g.received[4]::int as fourth, g.built_by,
              (select json_agg(json_build_array(slot, next_offset) order by slot)
                 from generation_cuts where generation = g.id) as cut,
              (select json_agg(json_build_array(publication, slot, next_offset) order by slot)
                 from examined_cuts where generation = g.id) as examined,
              (select json_agg(file) from generation_files where generation = g.id) as files
         from generations g where id = $1`,
      [loaded.id],
    );
    expect(rows[0]).toEqual({
      inputs_hash: hashInputs(draft().inputs),
      checksum: loaded.checksum,
      rows: loaded.rows,
      cells: loaded.cells,
      first: 2,
      fourth: 2,
      built_by: 'test',
      cut: [
        [1, 9],
        [2, 7],
      ],
      examined: [
        [0, 1, 9],
        [0, 2, 7],
      ],
      files: [fileId],
    });
  });

  test('keeps text that COPY would read as something else', async () => {
    const odd = ['\\N', '\\.', 'a\\tb', '{"x",}', 'NULL', '\u{1F600}', '\uFFEE', "'; --"];
    const rows = rowsOf(
      RULES,
      odd.map((text) => [text, 1, text, text] as const),
    );
    const loaded = await loadGeneration(one, draft(rows), cellRows(rows));
    expect(await stored(loaded.id)).toEqual(rows);
  });

  test('loads an hour without any click', async () => {
    const loaded = await loadGeneration(one, draft([], { duplicate: {} }), cellRows([]));
    expect(loaded).toMatchObject({ rows: 0, cells: 0, clicks: 0, existed: false });
  });

  test('the same inputs with the same cells are the same generation', async () => {
    const first = await loadGeneration(one, draft(), cellRows(ROWS));
    const again = await loadGeneration(two, draft(), cellRows(ROWS));
    expect(again).toEqual({ ...first, existed: true });
  });

  test('the same inputs with other cells break I5: refused, with both checksums', async () => {
    const first = await loadGeneration(one, draft(), cellRows(ROWS));
    const other = rowsOf(RULES, [['ad-1', 0, 'US', 'phone']]);
    const error = await errorOf(loadGeneration(two, draft(other), cellRows(other)));
    expect(error.code).toBe('invariant_broken');
    expect(error.context).toMatchObject({ invariant: 'I5', checksum: first.checksum });
    expect(error.message).toContain(String(error.context['other']));
    expect(error.message).toContain('2026-01-01T00:00:00Z');
    expect(await stored(first.id)).toEqual(ROWS);
  });

  test('of two loads of the same inputs at once one wins and the other is told so', async () => {
    const both = await Promise.all([
      loadGeneration(one, draft(), cellRows(ROWS)),
      loadGeneration(two, draft(), cellRows(ROWS)),
    ]);
    expect(both.map((l) => l.existed).sort()).toEqual([false, true]);
    expect(new Set(both.map((l) => l.id)).size).toBe(1);
    const { rows } = await database.pool.query('select distinct generation from generation_cells');
    expect(rows).toHaveLength(1);
  });

  const swapped = [ROWS[1]!, ROWS[0]!, ...ROWS.slice(2)];
  const without = (filter: string) => ROWS.filter((row) => row[0] !== filter);
  const shifted = ROWS.map((row): SparseRow =>
    row[0] === 'device:tv' ? [row[0], row[1], { 58: 1 }] : row,
  );
  test.each<[string, readonly SparseRow[], string]>([
    ['rows out of order', swapped, 'does not come after'],
    ['a row twice', [ROWS[0]!, ...ROWS], 'does not come after'],
    ['a total that is not what was counted', ROWS.slice(1), '(I3)'],
    ['a dimension without its rows', without('device:phone'), '(I4)'],
    ['a count in another minute of a dimension', shifted, '"ad-1" do not add up to its total (I4)'],
    ['a filter of no dimension', [...ROWS, ['format:x', 'ad-1', { 1: 1 }]], 'no such dimension'],
    ['a row of zeros', [...ROWS, ['device:zzz', 'ad-1', {}]], 'counts nothing'],
    [
      'an ad without total',
      [...ROWS.slice(0, -1), ['device:zz', 'ad-3', { 59: 1 }]],
      'do not add up to its total (I4)',
    ],
  ])('refuses %s, and leaves nothing', async (_, rows, why) => {
    const error = await errorOf(loadGeneration(one, draft(), cellRows(rows)));
    expect(error.code).toBe('validation_failed');
    expect(error.message).toContain(why);
    expect(await leftovers()).toBe(0);
    expect((await loadGeneration(one, draft(), cellRows(ROWS))).existed).toBe(false);
  });

  test('refuses a flow that does not add up', async () => {
    const { flow, ...rest } = draft();
    const received = flow.received.map((n, minute) => (minute === 3 ? n + 1 : n));
    const error = await errorOf(
      loadGeneration(one, { ...rest, flow: { ...flow, received } }, cellRows(ROWS)),
    );
    expect(error.code).toBe('validation_failed');
    expect(error.message).toContain('minute 3: 3 received');
  });

  test('refuses an hour and a partition that are not stored', async () => {
    const later = draft(ROWS, { hourMs: HOUR_MS + 3_600_000 });
    expect((await errorOf(loadGeneration(one, later, cellRows(ROWS)))).code).toBe('not_found');
    const cut = [{ topic: 'x', partition: 0, nextOffset: 1 }];
    const error = await errorOf(loadGeneration(one, draft(ROWS, { cut }), cellRows(ROWS)));
    expect(error.code).toBe('not_found');
    expect(await leftovers()).toBe(0);
  });

  test('an error of the rows is passed on, and the session is good for another load', async () => {
    async function* failing(): AsyncGenerator<CellRow> {
      yield cellRow(ROWS[0]!);
      throw new TruecountError('lake_file_missing', 'gone');
    }
    expect((await errorOf(loadGeneration(one, draft(), failing()))).code).toBe('lake_file_missing');
    expect(await leftovers()).toBe(0);
    expect((await loadGeneration(one, draft(), cellRows(ROWS))).existed).toBe(false);
  });

  test('a load that is killed while it copies leaves nothing and blocks nobody', async () => {
    let go = (): void => undefined;
    async function* stuck(): AsyncGenerator<CellRow> {
      const many = Array.from({ length: 2_000 }, (_, i): SparseRow => [
        '',
        `ad-${String(i).padStart(5, '0')}`,
        { 1: 1 },
      ]);
      yield* cellRows(many);
      await new Promise<void>((resolve) => (go = resolve));
    }
    const dying = loadGeneration(one, draft(), stuck()).catch(() => 'died');
    const pid = await until('rows are on their way', async () => {
      const { rows } = await database.pool.query<{ pid: number }>(
        `select pid from pg_stat_progress_copy where tuples_processed > 0
            and datname = current_database()`,
      );
      return rows[0]?.pid;
    });
    // The frozen one holds no lock that another load of the same inputs needs.
    expect((await loadGeneration(two, draft(), cellRows(ROWS))).existed).toBe(false);
    await database.pool.query('select pg_terminate_backend($1)', [pid]);
    go();
    expect(await dying).toBe('died');
    const { rows } = await database.pool.query<{ n: string }>(
      'select count(*) as n from generation_cells',
    );
    expect(Number(rows[0]!.n)).toBe(ROWS.length);
  });

  test('puts the cells of a collected generation back under its number', async () => {
    const first = await loadGeneration(one, draft(), cellRows(ROWS));
    await database.pool.query('update generations set collected_at = now()');
    await database.pool.query(`delete from generation_cells where filter = ''`);
    const both = await Promise.all([
      loadGeneration(one, draft(), cellRows(ROWS)),
      loadGeneration(two, draft(), cellRows(ROWS)),
    ]);
    expect(both).toEqual([
      { ...first, existed: true },
      { ...first, existed: true },
    ]);
    expect(await stored(first.id)).toEqual(ROWS);
    const { rows } = await database.pool.query('select collected_at from generations');
    expect(rows).toEqual([{ collected_at: null }]);
  });
});
