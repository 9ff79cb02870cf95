/** Locks of one query through the view, and many such queries at once. */
import { readFileSync } from 'node:fs';
import type { OwnPostgres } from '../live-layout/postgres.js';
import { adName } from './cells.js';
import type { Layout } from './layouts.js';
import { questions, sqlOf } from './queries.js';
import { session } from './session.js';

const CLIENTS = 8;
const QUERIES_PER_CLIENT = 10;
/** More than the lock table has room for with a partition per generation. */
const OPEN = 12;

export interface CrowdFigures {
  /** Of one query over 24 hours through the view. */
  readonly locks: number;
  /** The first such query of a new connection, and the memory of its process afterwards. */
  readonly firstMs: number;
  readonly backendMb: number;
  /** Of 8 connections asking at once, 10 times each. */
  readonly failed: number;
  readonly error: string;
  readonly queriesPerSecond: number;
  /** Of 12 transactions that have asked once and are still open. */
  readonly openFailed: number;
}

export async function measureCrowd(postgres: OwnPostgres, layout: Layout): Promise<CrowdFigures> {
  const sql = sqlOf(layout, 'view', questions(2, adName(3))[1]!);
  const { client, pid } = await session(postgres);
  const before = performance.now();
  await client.query('begin');
  await client.query(sql);
  const firstMs = performance.now() - before;
  const { rows } = await client.query<{ n: string }>(
    'select count(*) as n from pg_locks where pid = pg_backend_pid()',
  );
  await client.query('commit');
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  const backendMb = Number(/RssAnon:\s+(\d+)/.exec(status)![1]) / 1000;
  await client.end();

  const crowd = await Promise.all(Array.from({ length: CLIENTS }, () => session(postgres)));
  let failed = 0;
  let error = '';
  const begin = performance.now();
  await Promise.all(
    crowd.map(async (one) => {
      for (let i = 0; i < QUERIES_PER_CLIENT; i++) {
        await one.client.query(sql).catch((cause: Error) => {
          failed++;
          error = cause.message;
        });
      }
    }),
  );
  const seconds = (performance.now() - begin) / 1000;
  let openFailed = 0;
  while (crowd.length < OPEN) crowd.push(await session(postgres));
  for (const one of crowd) {
    await one.client.query('begin');
    await one.client.query(sql).catch(() => openFailed++);
  }
  for (const one of crowd) await one.client.end();
  const queriesPerSecond = (CLIENTS * QUERIES_PER_CLIENT - failed) / seconds;
  const locks = Number(rows[0]!.n);
  return { locks, firstMs, backendMb, failed, error, queriesPerSecond, openFailed };
}
