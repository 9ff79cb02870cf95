import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApi } from '../../api/app.js';
import { toProblem } from '../../api/problem.js';
import { TruecountError } from '../../core/errors.js';
import { chainFault } from '../../core/ledger.js';
import { publish } from '../../store/publish/publish.js';
import { MIGRATIONS, get, openApi } from './support/open-api.js';
import { Recorder } from './support/recorder.js';
import { loadServed, servedWorlds, takeStep } from './support/served.js';
import { minuteMs, seedLog } from './support/world.js';

let open: Awaited<ReturnType<typeof openApi>>;
let publisher: pg.Client;
beforeAll(async () => {
  open = await openApi();
  await seedLog(open.database.pool, minuteMs(210));
  publisher = new pg.Client({ connectionString: open.database.url });
  await publisher.connect();
  const [world] = fc
    .sample(servedWorlds, { numRuns: 100, seed: 5 })
    .filter(({ steps }) => steps.length === 6);
  await loadServed(open.database.pool, world!);
  for (let n = 1; n <= 6; n++) await takeStep(publisher, world!, n);
});
afterAll(async () => {
  await publisher.end();
  await open.close();
});

interface LedgerPage {
  readonly as_of: number;
  readonly entries: readonly {
    publication: number;
    body: string;
    prev_hash: string;
    hash: string;
  }[];
  readonly next: { readonly after: number };
}

test('the ledger read page by page is the whole chain, and its hashes hold', async () => {
  const entries: LedgerPage['entries'][number][] = [];
  for (let after = 0, end = 1; after < end;) {
    const page = (await get(open.api, '/ledger', { after, limit: 4 })).body as LedgerPage;
    expect(page.entries.length).toBeLessThanOrEqual(4);
    entries.push(...page.entries);
    after = page.next.after;
    end = page.as_of;
  }
  expect(entries.map(({ publication }) => publication)).toEqual([1, 2, 3, 4, 5, 6]);
  const chain = entries.map((entry) => ({ ...entry, prevHash: entry.prev_hash }));
  expect(chainFault(chain)).toBeNull();
  expect(chainFault(chain.map((e, i) => (i === 2 ? { ...e, body: `${e.body} ` } : e)))).toMatch(
    /entry 3 was altered/,
  );
  expect(JSON.parse(entries[0]!.body)).toMatchObject({ publication: 1, actor: 'test' });
  const end = await get(open.api, '/ledger', { after: 6 });
  expect(end.body).toMatchObject({ as_of: 6, entries: [], next: { after: 6 } });
  expect((await get(open.api, '/ledger', { after: 7 })).status).toBe(404);
});

test('reconciliations are listed newest first, by hour and by page, and shown with their cells', async () => {
  const { pool } = open.database;
  await pool.query(
    `insert into reconciliations (hour, generation, against, base, revision, clicks_base, clicks_new,
       clicks_moved, cells_compared, cells_differ, causes, drift, threshold, decision, reason, made_by)
     select g.hour, g.id, case when k = 1 then 'live' else 'served' end,
            case when k = 1 then null else g.id end, 0, 10, 12, 2, 50, 2,
            '{"late": {"cells": 2, "clicks": 2}}', 0.1667, 0.001, 'hold', 'above', 'reconcile/x'
       from (select * from generations order by id limit 1) g, generate_series(1, 3) k`,
  );
  await pool.query(
    `insert into reconciliation_cells values (1, 'country:US', 'a', 59, 1, 2, 'late'),
                                             (1, '', 'a', 59, 1, 2, 'late')`,
  );
  const ids = async (query: Record<string, string | number>) => {
    const { body } = await get(open.api, '/reconciliations', query);
    const { reconciliations, next } = body as {
      reconciliations: { id: number }[];
      next: { before: number } | null;
    };
    return { ids: reconciliations.map(({ id }) => id), next };
  };
  expect(await ids({})).toEqual({ ids: [3, 2, 1], next: null });
  expect(await ids({ limit: 2 })).toEqual({ ids: [3, 2], next: { before: 2 } });
  expect(await ids({ limit: 2, before: 2 })).toEqual({ ids: [1], next: null });
  const { rows } = await pool.query<{ hour: Date }>('select hour from reconciliations limit 1');
  const hour = rows[0]!.hour;
  expect((await ids({ hour: hour.toISOString() })).ids).toEqual([3, 2, 1]);
  expect((await ids({ hour: '2026-01-01T00' })).ids).toEqual([]);
  expect((await get(open.api, '/reconciliations', { hour: '2026-01-01T00:30' })).status).toBe(400);

  const { body } = await get(open.api, '/reconciliations/1');
  const minute = new Date(hour.getTime() + 59 * 60_000).toISOString().replace('.000Z', 'Z');
  expect(body).toMatchObject({
    id: 1,
    against: 'live',
    base: null,
    clicks: { before: 10, count: 12, moved: 2 },
    causes: { late: { cells: 2, clicks: 2 } },
    drift: 0.1667,
    decision: 'hold',
    cells: [
      { ad_id: 'a', minute, before: 1, count: 2, cause: 'late' },
      { ad_id: 'a', minute, filter_id: 'country:US', before: 1, count: 2, cause: 'late' },
    ],
  });
  expect(await get(open.api, '/reconciliations/4')).toMatchObject({
    status: 404,
    body: { code: 'not_found' },
  });
  expect(await get(open.api, '/reconciliations/x')).toMatchObject({
    status: 400,
    body: { hint: '/reconciliations/:id takes no parameters' },
  });
});

test('the problem document of a lost race names the hour and its current revision', async () => {
  const { rows } = await open.database.pool.query<{ hour: Date; id: string; revision: number }>(
    `select p.hour, p.generation as id, p.revision from pointers p order by p.revision desc limit 1`,
  );
  const { hour, id, revision } = rows[0]!;
  const lost: unknown = await publish(publisher, {
    request: 'too late',
    kind: 'publish',
    hours: [
      {
        hourMs: hour.getTime(),
        generation: Number(id),
        expectedRevision: revision - 1,
        reconciliation: null,
      },
    ],
    actor: 'test',
    reason: 'test',
    automatic: false,
  }).catch((error: unknown) => error);
  expect(lost).toBeInstanceOf(TruecountError);
  expect(toProblem(lost as TruecountError, 'x')).toMatchObject({
    status: 409,
    code: 'revision_conflict',
    hour: hour.toISOString().replace('.000Z', 'Z'),
    revision,
  });
});

test('a replay is started with what the body says, listed, and found by its id', async () => {
  const replays = new Recorder();
  const api = await createApi({ pool: open.database.pool, migrations: MIGRATIONS, replays });
  const post = (payload: object) => api.inject({ method: 'POST', url: '/replays', payload });
  const body = { from: '2026-11-20T22', to: '2026-11-21T01', reason: 'UK is GB' };
  const started = await post({ ...body, needs_approval: true, parallel: 2 });
  expect(started.statusCode).toBe(202);
  expect(started.json()).toMatchObject({
    id: 'replay/2026-11-20T22:00:00Z--2026-11-21T01:00:00Z',
    state: 'running',
    closed_at: null,
  });
  expect(replays.started).toEqual([
    {
      from: '2026-11-20T22:00:00Z',
      to: '2026-11-21T01:00:00Z',
      actor: 'api',
      reason: 'UK is GB',
      needsApproval: true,
      parallel: 2,
    },
  ]);
  const found = await api.inject(started.headers.location as string);
  expect(found.json()).toMatchObject({ id: started.json<{ id: string }>().id, progress: null });
  expect((await get(api, '/replays')).body).toMatchObject({ replays: [{ run_id: 'run' }] });
  expect((await get(api, '/replays/none')).body).toMatchObject({ code: 'not_found' });
  const again = await post(body);
  expect(again).toMatchObject({ statusCode: 409 });
  for (const wrong of [
    {},
    { ...body, to: body.from },
    { ...body, from: '2026-11-20T22:30' },
    { ...body, rules: 'latest' },
    { ...body, parallel: 0 },
    { ...body, parallel: 17 },
    { ...body, paralel: 2 },
    { ...body, reason: 'x'.repeat(501) },
    { ...body, reason: 'a\u0000b' },
    { ...body, reason: 'half \ud800' },
    { ...body, actor: 'two\nlines' },
  ]) {
    expect((await post(wrong)).statusCode).toBe(400);
  }
  expect((await post({ ...body, reason: 'a\u0000b' })).json()).toMatchObject({
    code: 'invalid_argument',
    detail: 'reason has control characters or half a character',
    hint: 'the ledger keeps it: one line of 1 to 500 characters',
  });
  expect((await post({})).json()).toMatchObject({
    detail: 'the parameter from is missing',
    hint: expect.stringContaining('takes in its body: from, to, rules,') as string,
  });
  for (const rules of ['f'.repeat(64), '999']) {
    expect((await post({ ...body, rules })).json()).toMatchObject({
      status: 404,
      code: 'not_found',
    });
  }
  expect(replays.started).toHaveLength(2);
  await api.close();
});

test('the end of a replay names the hours with an alert, and those on hold', async () => {
  const replays = new Recorder();
  const api = await createApi({ pool: open.database.pool, migrations: MIGRATIONS, replays });
  const { id } = await replays.start({ from: '2026-11-20T22', to: '2026-11-21T00', actor: 'a' });
  const [alert, hold] = ['2026-11-20T22:00:00Z', '2026-11-20T23:00:00Z'] as const;
  replays.end(id, {
    ...{ publication: 7, hours: 2, published: 1, confirmed: 0, held: 1, unchanged: 0 },
    ...{ cellsDiffer: 3, alerted: 1, holds: [{ hour: hold, reason: 'a loss' }] },
    alerts: [{ hour: alert, drift: 0.47, cellsDiffer: 3, reason: 'too much' }],
  });
  const { body } = await get(api, `/replays/${encodeURIComponent(id)}`);
  expect(body).toMatchObject({
    result: {
      alerted: 1,
      alerts: [{ hour: alert, drift: 0.47, cells_differ: 3, reason: 'too much' }],
      holds: [{ hour: hold, reason: 'a loss' }],
    },
  });
  await api.close();
});

test('without Temporal replays are not ready, and everything else is', async () => {
  const payload = { from: '2026-11-20T22', to: '2026-11-21T01' };
  const start = await open.api.inject({ method: 'POST', url: '/replays', payload });
  const list = await get(open.api, '/replays');
  expect([start.statusCode, list.status]).toEqual([503, 503]);
  expect(list.body).toMatchObject({ code: 'not_ready' });
  expect((list.body as { hint: string }).hint).toContain('TRUECOUNT_TEMPORAL_ADDRESS');
});
