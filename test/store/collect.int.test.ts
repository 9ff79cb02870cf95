import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { collectGenerations } from '../../store/generations/collect.js';
import { publish } from '../../store/publish/publish.js';
import { openSession } from '../../store/session.js';
import { seedGeneration } from '../support/generations.js';
import { freshDatabase } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';

const HOUR_MS = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;
const POLICY = { keepGenerations: 2, keepMs: 90 * DAY_MS };

describe('collecting generations', () => {
  let database: TestDatabase;
  let one: pg.Client;
  let two: pg.Client;

  beforeEach(async () => {
    database = await freshDatabase();
    const session = { connection: { connectionString: database.url } };
    one = await openSession({ ...session, applicationName: 'one' });
    two = await openSession({ ...session, applicationName: 'two' });
  });
  afterEach(async () => {
    await one.end();
    await two.end();
    await database.close();
  });

  const sql = (text: string, values: unknown[] = []) => database.pool.query(text, values);

  /** Generations of one hour, oldest first, all loaded `days` ago; two rows each. */
  async function generations(count: number, days: number, hourMs = HOUR_MS): Promise<number[]> {
    const ids: number[] = [];
    for (let i = 1; i <= count; i++) {
      ids.push(
        await seedGeneration(database.pool, {
          hourMs,
          ruleSet: DEFAULT_RULE_SET,
          cut: [{ topic: 't', partition: 0, nextOffset: i }],
          cells: [
            ['', 'ad', { 1: i }],
            ['country:US', 'ad', { 1: i }],
          ],
        }),
      );
    }
    await sql('update generations set loaded_at = now() - $2 * $3::interval where id = any ($1)', [
      ids,
      days,
      '1 day',
    ]);
    return ids;
  }

  let requests = 0;
  async function serve(client: pg.Client, generation: number, expected: number): Promise<void> {
    await publish(client, {
      request: `r${String(++requests)}`,
      kind: 'publish',
      hours: [{ hourMs: HOUR_MS, generation, expectedRevision: expected, reconciliation: null }],
      actor: 'test',
      reason: 'test',
      automatic: false,
    });
  }

  /** The ledger is append-only: only a test may say that something happened long ago. */
  async function backdate(publication: number, days: number): Promise<void> {
    await sql('alter table ledger disable trigger all');
    await sql(`update ledger set at = now() - $2 * interval '1 day' where publication = $1`, [
      publication,
      days,
    ]);
    await sql('alter table ledger enable trigger all');
  }

  async function withCells(): Promise<number[]> {
    const { rows } = await sql('select distinct generation from generation_cells order by 1');
    return (rows as { generation: string }[]).map((row) => Number(row.generation));
  }

  test('keeps the newest of each hour and gives the older ones up', async () => {
    const ids = await generations(5, 100);
    const other = await generations(1, 100, HOUR_MS + 3_600_000);
    const collected = await collectGenerations(one, POLICY);
    expect(collected).toEqual({ generations: ids.slice(0, 3), rowsRemoved: 6 });
    expect(await withCells()).toEqual([...ids.slice(3), ...other]);
    const { rows } = await sql(`select id::int, rows::int from generations
                                 where collected_at is not null order by id`);
    expect(rows).toEqual(ids.slice(0, 3).map((id) => ({ id, rows: 2 })));
    expect(await collectGenerations(one, POLICY)).toEqual({ generations: [], rowsRemoved: 0 });
  });

  test('keeps all that are young', async () => {
    await generations(5, 89);
    expect((await collectGenerations(one, POLICY)).generations).toEqual([]);
  });

  test('keeps what serves, however old, and what served while an answer may be asked for', async () => {
    const ids = await generations(6, 400);
    await serve(one, ids[0]!, 0);
    await serve(one, ids[1]!, 1);
    await serve(one, ids[2]!, 2);
    // ids[0] served until 300 days ago, ids[1] from then until 10 days ago, ids[2] since.
    await backdate(1, 399);
    await backdate(2, 300);
    await backdate(3, 10);
    expect((await collectGenerations(one, POLICY)).generations).toEqual([ids[0], ids[3]]);
    expect(await withCells()).toEqual([ids[1], ids[2], ids[4], ids[5]]);
  });

  test('keeps what was reconciled lately: somebody may be about to publish it', async () => {
    const ids = await generations(4, 100);
    await sql(
      `insert into reconciliations (hour, generation, against, revision, clicks_base, clicks_new, clicks_moved,
         cells_compared, cells_differ, causes, drift, threshold, decision, reason, made_by)
       values ($1, $2, 'live', 0, 1, 1, 0, 1, 0, '{}', 0, 0, 'publish', '', 'test')`,
      [new Date(HOUR_MS), ids[0]],
    );
    expect((await collectGenerations(one, POLICY)).generations).toEqual([ids[1]]);
  });

  test('gives up at most as many as asked for, the oldest first, in batches', async () => {
    const ids = await generations(5, 100);
    const limits = { generationsMax: 2, batchRows: 1 };
    const first = await collectGenerations(one, { ...POLICY, ...limits });
    expect(first).toEqual({ generations: ids.slice(0, 2), rowsRemoved: 4 });
    const second = await collectGenerations(one, { ...POLICY, ...limits });
    expect(second).toEqual({ generations: [ids[2]], rowsRemoved: 2 });
  });

  test('what a killed collection left is removed by the next', async () => {
    const ids = await generations(3, 100);
    const abort = new AbortController();
    abort.abort(new Error('killed'));
    await expect(collectGenerations(one, { ...POLICY, signal: abort.signal })).rejects.toThrow(
      'killed',
    );
    expect(await withCells()).toEqual(ids);
    expect(await collectGenerations(one, POLICY)).toEqual({ generations: [], rowsRemoved: 2 });
    expect(await withCells()).toEqual(ids.slice(1));
  });

  test('a publisher that was first keeps its generation, also with its commit still to come', async () => {
    const ids = await generations(3, 100);
    // The publisher holds the row's share lock and waits for the pointers.
    await two.query('begin');
    await two.query('select from generations where id = $1 for share', [ids[0]]);
    expect((await collectGenerations(one, POLICY)).generations).toEqual([]);
    await two.query('rollback');
    await serve(two, ids[0]!, 0);
    expect((await collectGenerations(one, POLICY)).generations).toEqual([]);
    expect(await withCells()).toEqual(ids);
  });

  test('a publication committed between the look and the lock is seen', async () => {
    const ids = await generations(3, 100);
    // The row lock is got after the publication's commit, by a statement that began before it: its
    // answer is what it saw then.
    const stale = Object.create(one) as pg.Client;
    let published = false;
    const query = async (text: string, values?: unknown[]): Promise<unknown> => {
      if (!text.includes('skip locked')) return one.query(text, values);
      await serve(two, ids[0]!, 0);
      published = true;
      return one.query('select id from generations where id = $1 for update', [ids[0]]);
    };
    stale.query = query as pg.Client['query'];
    expect((await collectGenerations(stale, POLICY)).generations).toEqual([]);
    expect(published).toBe(true);
    expect(await withCells()).toEqual(ids);
  });

  test('a reader with an older snapshot keeps all cells while they are collected', async () => {
    const ids = await generations(3, 100);
    await two.query('begin isolation level repeatable read');
    const read = async (): Promise<unknown> =>
      (
        await two.query(
          `select g.collected_at, count(c.generation)::int as rows
             from generations g left join generation_cells c on c.generation = g.id
            where g.id = $1 group by g.id`,
          [ids[0]],
        )
      ).rows[0];
    const before = await read();
    await collectGenerations(one, POLICY);
    expect(await read()).toEqual(before);
    expect(before).toEqual({ collected_at: null, rows: 2 });
    await two.query('commit');
    expect(await read()).toMatchObject({ rows: 0 });
  });
});
