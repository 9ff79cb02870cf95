import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApi } from '../../api/app.js';
import { startApi } from '../../api/service.js';
import { openReadPool } from '../../store/read/connection.js';
import { freshDatabase, type TestDatabase } from '../support/stack.js';
import { MIGRATIONS, get, openApi } from './support/open-api.js';

const RANGE = 'from=2026-11-21T10&to=2026-11-21T11';
const QUIET = { api: { host: '127.0.0.1', port: 0 }, postgresPoolSize: 2, logLevel: 'silent' };

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

test('the service listens, answers over HTTP and closes', async () => {
  const service = await startApi({ ...QUIET, postgresUrl: database.url }, MIGRATIONS);
  const live = await fetch(`${service.url}/health/live`);
  expect(await live.json()).toEqual({ status: 'live' });
  const ready = await fetch(`${service.url}/health/ready`);
  expect(await ready.json()).toEqual({ status: 'ready' });
  const id = encodeURIComponent('a/ü %2F?#&"\'');
  const count = await fetch(`${service.url}/ads/${id}/aggregated_count?${RANGE}`);
  expect(await count.json()).toMatchObject({ ad_id: 'a/ü %2F?#&"\'', count: 0 });
  await service.close();
  await expect(fetch(`${service.url}/health/live`)).rejects.toThrow();
});

test('a port that is taken is named, with what to do', async () => {
  const first = await startApi({ ...QUIET, postgresUrl: database.url }, MIGRATIONS);
  const port = Number(new URL(first.url).port);
  const second = startApi(
    { ...QUIET, api: { host: '127.0.0.1', port }, postgresUrl: database.url },
    MIGRATIONS,
  );
  await expect(second).rejects.toMatchObject({ code: 'conflict' });
  await first.close();
});

test('without Postgres it lives, is not ready, and tells clients when to try again', async () => {
  const nowhere = 'postgres://postgres@127.0.0.1:1/none';
  const service = await startApi({ ...QUIET, postgresUrl: nowhere }, MIGRATIONS);
  expect((await fetch(`${service.url}/health/live`)).status).toBe(200);
  for (const path of ['/health/ready', `/ads/a/aggregated_count?${RANGE}`, '/hours']) {
    const answer = await fetch(service.url + path);
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(await answer.json()).toMatchObject({ code: 'dependency_unreachable' });
  }
  await service.close();
});

test('connections that are cut are replaced: the next question is answered', async () => {
  const { api, database: own, close } = await openApi();
  expect((await get(api, `/ads/a/aggregated_count?${RANGE}`)).status).toBe(200);
  await own.pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = 'test api'`,
  );
  const answers = [];
  for (let i = 0; i < 3; i++) answers.push(await get(api, `/ads/a/aggregated_count?${RANGE}`));
  // The first may still have met the dead connection; it must say so and not hang.
  for (const { status } of answers) expect([200, 503]).toContain(status);
  expect(answers.at(-1)?.status).toBe(200);
  await close();
});

test('a database without the schema is not ready, and questions say what to run', async () => {
  const admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
  const name = `empty_${String(process.pid)}`;
  await admin.query(`create database ${name}`);
  const url = new URL(database.url);
  url.pathname = `/${name}`;
  const service = await startApi({ ...QUIET, postgresUrl: url.toString() }, MIGRATIONS);
  for (const path of ['/health/ready', `/ads/a/aggregated_count?${RANGE}`]) {
    const answer = await fetch(service.url + path);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({
      code: 'schema_out_of_date',
      hint: 'run `truecount migrate`',
    });
  }
  await service.close();
  await admin.query(`drop database ${name} with (force)`);
  await admin.end();
});

test('a question that takes too long is given up with 503', async () => {
  const pool = openReadPool({
    url: database.url,
    applicationName: 'test slow',
    max: 1,
    statementTimeoutMs: 100,
    connectTimeoutMs: 5_000,
  });
  const api = await createApi({ pool, migrations: MIGRATIONS });
  const locker = await database.pool.connect();
  await locker.query('begin');
  await locker.query('lock table ledger_head in access exclusive mode');
  const answer = await get(api, `/ads/a/aggregated_count?${RANGE}`);
  expect(answer).toMatchObject({ status: 503, body: { code: 'not_ready' } });
  await locker.query('rollback');
  locker.release();
  expect((await get(api, `/ads/a/aggregated_count?${RANGE}`)).status).toBe(200);
  await api.close();
  await pool.end();
});

test('the OpenAPI document is 3.1 and lists every route with its answers', async () => {
  const { api, close } = await openApi();
  const { body } = await get(api, '/openapi.json');
  const document = body as {
    openapi: string;
    paths: Record<string, { get: { responses: Record<string, unknown> } }>;
  };
  expect(document.openapi).toBe('3.1.0');
  expect(Object.keys(document.paths).sort()).toEqual([
    '/ads/popular_ads',
    '/ads/{ad_id}/aggregated_count',
    '/ads/{ad_id}/explain',
    '/ads/{ad_id}/timeseries',
    '/changes',
    '/health/live',
    '/health/ready',
    '/hours',
    '/ledger',
    '/reconciliations',
    '/reconciliations/{id}',
    '/replays',
    '/replays/{id}',
    '/rules',
    '/rules/diff',
    '/rules/stale',
    '/rules/try',
    '/rules/{name}',
  ]);
  const { responses } = document.paths['/ads/popular_ads']?.get ?? { responses: {} };
  expect(Object.keys(responses)).toEqual(['200', '400', '404', '410', '503']);
  expect(JSON.stringify(responses['400'])).toContain('application/problem+json');
  await close();
});

test('metrics count requests by route pattern, never by path', async () => {
  const { api, close } = await openApi();
  await get(api, `/ads/secret-ad/aggregated_count?${RANGE}`);
  await get(api, '/nothing');
  const { payload, headers } = await api.inject('/metrics');
  expect(headers['content-type']).toContain('text/plain');
  expect(payload).toMatch(
    /duration_seconds_count\{.*route="\/ads\/:ad_id\/aggregated_count".*\} 1/,
  );
  expect(payload).toMatch(/duration_seconds_count\{.*route="none",status="404"\} 1/);
  expect(payload).not.toContain('secret-ad');
  await close();
});
