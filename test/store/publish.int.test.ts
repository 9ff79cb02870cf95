import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TruecountError } from '../../core/errors.js';
import { chainFault } from '../../core/ledger.js';
import type { PublishRequest, WantedHour } from '../../core/publication.js';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { publish } from '../../store/publish/publish.js';
import { openSession } from '../../store/session.js';
import { seedGeneration } from '../support/generations.js';
import { freshDatabase } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';
import { until } from '../support/until.js';

const HOUR_MS = 3_600_000;
const FROM_MS = Date.UTC(2026, 0, 1);
const V2 = { ...DEFAULT_RULE_SET, dimensions: [] };

describe('publishing', () => {
  let database: TestDatabase;
  let one: pg.Client;
  let two: pg.Client;
  /** Generations of three hours, under two rule sets: `generations[hour][rules]`. */
  let generations: number[][];

  beforeEach(async () => {
    database = await freshDatabase();
    const session = { connection: { connectionString: database.url } };
    one = await openSession({ ...session, applicationName: 'one' });
    two = await openSession({ ...session, applicationName: 'two' });
    generations = [];
    for (let i = 0; i < 3; i++) {
      const hour = {
        hourMs: FROM_MS + i * HOUR_MS,
        cut: [{ topic: 't', partition: 0, nextOffset: 9 }],
      };
      const cells = [['', 'ad', { 1: i + 1 }]] as const;
      generations.push([
        await seedGeneration(database.pool, { ...hour, ruleSet: DEFAULT_RULE_SET, cells }),
        await seedGeneration(database.pool, { ...hour, ruleSet: V2, cells }),
      ]);
    }
  });
  afterEach(async () => {
    await one.end().catch(() => undefined);
    await two.end().catch(() => undefined);
    await database.close();
  });

  function request(
    name: string,
    rules: number,
    expectedRevision: number,
    more: Partial<PublishRequest> = {},
  ): PublishRequest {
    return {
      request: name,
      kind: 'publish',
      hours: generations.map((g, i) => ({
        hourMs: FROM_MS + i * HOUR_MS,
        generation: g[rules]!,
        expectedRevision,
        reconciliation: null,
      })),
      actor: 'a test',
      reason: 'because',
      automatic: true,
      ...more,
    };
  }

  async function served(): Promise<unknown[]> {
    const { rows } = await database.pool.query<{ revision: number; generation: string }>(
      `select distinct on (hour) revision, generation from pointers order by hour, revision desc`,
    );
    return rows.map((row) => [row.revision, Number(row.generation)]);
  }

  async function chain(): Promise<string | null> {
    const { rows } = await database.pool.query<Record<string, string>>(
      'select publication, body, prev_hash, hash from ledger order by publication',
    );
    const head = await database.pool.query<{ publication: string; hash: string }>(
      'select publication, hash from ledger_head',
    );
    expect(Number(head.rows[0]!.publication)).toBe(rows.length);
    expect(head.rows[0]!.hash).toBe(rows.at(-1)?.['hash'] ?? '0'.repeat(64));
    return chainFault(
      rows.map((row) => ({
        publication: Number(row['publication']),
        body: row['body']!,
        prevHash: row['prev_hash']!,
        hash: row['hash']!,
      })),
    );
  }

  async function errorOf(work: Promise<unknown>): Promise<TruecountError> {
    const error: unknown = await work.then(
      () => new Error('it did not fail'),
      (e: unknown) => e,
    );
    if (error instanceof TruecountError) return error;
    throw error;
  }

  test('gives every hour its next revision under one number, chained to the entry before', async () => {
    const first = await publish(one, request('a', 0, 0));
    expect(first).toEqual({
      publication: 1,
      hours: [0, 1, 2].map((i) => ({ hourMs: FROM_MS + i * HOUR_MS, revision: 1 })),
      existed: false,
    });
    expect((await publish(one, request('b', 1, 1))).publication).toBe(2);
    expect(await served()).toEqual(generations.map((g) => [2, g[1]]));
    expect(await chain()).toBeNull();
  });

  test('asked again with the same request, answers with the first entry and changes nothing', async () => {
    const first = await publish(one, request('a', 0, 0));
    await publish(one, request('b', 1, 1));
    expect(await publish(two, request('a', 0, 0))).toEqual({ ...first, existed: true });
    expect(await served()).toEqual(generations.map((g) => [2, g[1]]));
    expect(await chain()).toBeNull();
  });

  test('of two publishers at once one wins, the other learns the current revision', async () => {
    const both = await Promise.allSettled([
      publish(one, request('a', 0, 0)),
      publish(two, request('b', 1, 0)),
    ]);
    const lost = both.find((r) => r.status === 'rejected')!.reason as TruecountError;
    expect(both.filter((r) => r.status === 'fulfilled')).toHaveLength(1);
    expect(lost.code).toBe('revision_conflict');
    expect(lost.context).toMatchObject({ revision: 1, expected: 0 });
    expect(await chain()).toBeNull();
  });

  test('is all or nothing: one hour in conflict leaves every hour as it was', async () => {
    const { hours } = request('a', 0, 0);
    await publish(one, request('a', 0, 0, { hours: [hours[2]!] }));
    expect((await errorOf(publish(one, request('b', 0, 0)))).code).toBe('revision_conflict');
    expect(await served()).toEqual([[1, generations[2]![0]]]);
    expect(await chain()).toBeNull();
  });

  test('a rollback keeps automation off its hours until a person releases them', async () => {
    await publish(one, request('a', 0, 0));
    await publish(one, request('b', 1, 1));
    await publish(one, request('c', 0, 2, { kind: 'rollback', automatic: false }));
    expect(await served()).toEqual(generations.map((g) => [3, g[0]]));
    expect((await errorOf(publish(one, request('d', 1, 3)))).code).toBe('hour_held');
    const release = { kind: 'release', automatic: false } as const;
    const other = request('o', 1, 3, release);
    expect((await errorOf(publish(one, other))).code).toBe('invalid_argument');
    const done = await publish(one, request('r', 0, 3, release));
    expect(done).toMatchObject({ publication: 4, hours: [{ revision: 3 }, {}, {}] });
    expect(await publish(two, request('r', 0, 3, release))).toEqual({ ...done, existed: true });
    expect(await served()).toEqual(generations.map((g) => [3, g[0]]));
    const again = await errorOf(publish(one, request('s', 0, 3, release)));
    expect(again).toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('no rollback holds it') as string,
    });
    expect((await publish(one, request('d', 1, 3))).publication).toBe(5);
    expect(await chain()).toBeNull();
  });

  test('a person’s publication of a held hour releases it', async () => {
    await publish(one, request('a', 0, 0));
    await publish(one, request('b', 1, 1));
    await publish(one, request('c', 0, 2, { kind: 'rollback', automatic: false }));
    await publish(one, request('d', 1, 3, { automatic: false }));
    expect((await publish(one, request('e', 0, 4))).publication).toBe(5);
  });

  test('a confirmation keeps the revision and records what was examined', async () => {
    await publish(one, request('a', 0, 0));
    const examined = [{ topic: 't', partition: 0, nextOffset: 20 }];
    const [hour] = request('', 0, 1).hours;
    const confirm = { kind: 'confirm', hours: [{ ...hour!, examined }] } as const;
    expect((await publish(one, request('b', 0, 1, confirm))).hours[0]!.revision).toBe(1);
    const { rows } = await database.pool.query(
      'select next_offset from examined_cuts where publication = 2',
    );
    expect(rows).toEqual([{ next_offset: '20' }]);
    const lower = {
      ...confirm,
      hours: [{ ...hour!, examined: [{ ...examined[0]!, nextOffset: 8 }] }],
    };
    expect((await errorOf(publish(one, request('c', 0, 1, lower)))).code).toBe('invalid_argument');
    const other = { ...confirm, hours: [{ ...hour!, generation: generations[0]![1]!, examined }] };
    expect((await errorOf(publish(one, request('d', 0, 1, other)))).code).toBe('invalid_argument');
    expect(await chain()).toBeNull();
  });

  test('refuses a generation of another hour, one that is not there, and one that was collected', async () => {
    const [hour] = request('', 0, 0).hours;
    const with_ = (generation: number) =>
      errorOf(publish(one, request('x', 0, 0, { hours: [{ ...hour!, generation }] })));
    expect((await with_(generations[1]![0]!)).code).toBe('invalid_argument');
    expect((await with_(999_999)).code).toBe('not_found');
    await database.pool.query('update generations set collected_at = now() where id = $1', [
      generations[0]![0],
    ]);
    expect((await with_(generations[0]![0]!)).code).toBe('collected');
    expect(await chain()).toBeNull();
  });

  test.each(['a\u0000b', '\ud800', 'two\nlines', ''])(
    'words that no reader could take apart again are never appended: %j',
    async (bad) => {
      await publish(one, request('a', 0, 0));
      await publish(one, request('b', 1, 1));
      await publish(one, request('c', 0, 2, { kind: 'rollback', automatic: false }));
      for (const name of ['reason', 'actor']) {
        const words = { [name]: bad, automatic: false };
        expect((await errorOf(publish(one, request('d', 1, 3, words)))).code).toBe(
          'invalid_argument',
        );
        const release = request('r', 0, 3, { ...words, kind: 'release' });
        expect((await errorOf(publish(one, release))).code).toBe('invalid_argument');
      }
      expect(await served()).toEqual(generations.map((g) => [3, g[0]]));
      expect(await chain()).toBeNull();
    },
  );

  /** A reconciliation of a generation of the first hour. */
  async function reconciled(generation: number): Promise<number> {
    const { rows } = await database.pool.query<{ id: string }>(
      `insert into reconciliations (hour, generation, against, revision, clicks_base, clicks_new,
         clicks_moved, cells_compared, cells_differ, causes, drift, threshold, decision, reason, made_by)
       values ($1, $2, 'live', 0, 1, 1, 0, 1, 0, '{}', 0, 0, 'publish', '', 'test') returning id`,
      [new Date(FROM_MS), generation],
    );
    return Number(rows[0]!.id);
  }

  test('the ledger names a reconciliation of the hour and its generation, or none', async () => {
    const [hour, other] = request('', 0, 0).hours;
    const id = await reconciled(hour!.generation);
    const with_ = (wanted: WantedHour, reconciliation: unknown) =>
      publish(
        one,
        request('a', 0, 0, {
          hours: [{ ...wanted, reconciliation: reconciliation as number }],
        }),
      );
    expect((await errorOf(with_(hour!, 'see mail of Monday'))).code).toBe('invalid_argument');
    expect((await errorOf(with_(hour!, id + 1))).code).toBe('not_found');
    expect((await errorOf(with_(other!, id))).code).toBe('invalid_argument');
    const of = generations[0]![1]!;
    expect((await errorOf(with_({ ...hour!, generation: of }, id))).code).toBe('invalid_argument');
    expect(await served()).toEqual([]);
    expect((await with_(hour!, id)).publication).toBe(1);
    const { rows } = await database.pool.query<{ body: string }>('select body from ledger');
    expect(JSON.parse(rows[0]!.body)).toMatchObject({ hours: [{ reconciliation: id }] });
  });

  test('a confirmation names the reconciliation of the generation that examined the hour', async () => {
    await publish(one, request('a', 0, 0));
    const [hour] = request('', 0, 1).hours;
    const examined = [{ topic: 't', partition: 0, nextOffset: 20 }];
    const examinedBy = generations[0]![1]!;
    const confirm = (name: string, reconciliation: number) =>
      publish(
        one,
        request(name, 0, 1, {
          kind: 'confirm',
          hours: [{ ...hour!, examined, examinedBy, reconciliation }],
        }),
      );
    const wrong = await reconciled(hour!.generation);
    expect((await errorOf(confirm('b', wrong))).code).toBe('invalid_argument');
    expect((await confirm('b', await reconciled(examinedBy))).publication).toBe(2);
    expect(await chain()).toBeNull();
  });

  test('a publisher that dies with the locks held leaves the old truth and blocks nobody', async () => {
    await publish(one, request('a', 0, 0));
    const blocker = await database.pool.connect();
    await blocker.query('begin');
    await blocker.query('lock table pointers in share mode');
    const dying = publish(one, request('b', 1, 1)).catch(() => 'died');
    const pid = await until('the publisher waits, holding the head', async () => {
      const { rows } = await database.pool.query<{ pid: number }>(
        `select pid from pg_stat_activity where wait_event_type = 'Lock'
           and query like 'insert into pointers%' and datname = current_database()`,
      );
      return rows[0]?.pid;
    });
    await database.pool.query('select pg_terminate_backend($1)', [pid]);
    expect(await dying).toBe('died');
    await blocker.query('rollback');
    blocker.release();
    expect(await served()).toEqual(generations.map((g) => [1, g[0]]));
    expect((await publish(two, request('b', 1, 1))).publication).toBe(2);
    expect(await chain()).toBeNull();
  });

  test.each(['ledger', 'pointers'])('%s cannot be changed or emptied', async (table) => {
    await publish(one, request('a', 0, 0));
    for (const sql of [
      `update ${table} set publication = publication`,
      `delete from ${table}`,
      `truncate ${table} cascade`,
    ]) {
      await expect(database.pool.query(sql)).rejects.toThrow('append-only');
    }
  });
});
