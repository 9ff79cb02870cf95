/** Planning and execution of the questions, by way of asking. */
import type pg from 'pg';
import { backendCpuMs } from '../live-layout/postgres.js';
import type { OwnPostgres } from '../live-layout/postgres.js';
import { median } from '../support/report.js';
import { adName } from './cells.js';
import type { Layout } from './layouts.js';
import { WAYS, questions, sqlOf, statement } from './queries.js';
import type { Question, Way } from './queries.js';
import { session } from './session.js';

const READS = 15;
const PREPARED_WARM_UP = 8;

export interface ReadFigures {
  readonly question: Question['name'];
  /** Per way of asking: medians of EXPLAIN ANALYZE's planning and execution time. */
  readonly ways: Readonly<Record<Way, { planMs: number; runMs: number }>>;
  /** The statement as a named prepared one with parameters, as the server plans it by itself. */
  readonly prepared: PreparedFigures;
  /** The same with one generic plan. */
  readonly generic: PreparedFigures;
  readonly answers: string;
}

export interface PreparedFigures {
  /** Of the client. */
  readonly wallMs: number;
  /** Of the backend. */
  readonly cpuMs: number;
}

export async function measureReads(
  postgres: OwnPostgres,
  layout: Layout,
  ads: number,
): Promise<ReadFigures[]> {
  const { client, pid } = await session(postgres);
  const out: ReadFigures[] = [];
  for (const kind of [0, 1, 2]) {
    const ways: Partial<Record<Way, { planMs: number; runMs: number }>> = {};
    const answers: string[] = [];
    const ask = (k: number) => questions(k, adName((k * 17) % ads))[kind]!;
    for (const way of WAYS) {
      const plans: number[] = [];
      const runs: number[] = [];
      for (let k = 0; k < READS + 2; k++) {
        const sql = sqlOf(layout, way, ask(k));
        const { plan, run } = await explain(client, sql);
        if (k >= 2) plans.push(plan);
        if (k >= 2) runs.push(run);
      }
      ways[way] = { planMs: median(plans), runMs: median(runs) };
      answers.push(await answer(client, sqlOf(layout, way, ask(3))));
    }
    if (new Set(answers).size !== 1) throw new Error(`${layout.name}: ${answers.join(' <> ')}`);
    const prepared = await measurePrepared(client, pid, layout, ask, 'auto');
    const generic = await measurePrepared(client, pid, layout, ask, 'force_generic_plan');
    const figures = ways as Record<Way, { planMs: number; runMs: number }>;
    out.push({ question: ask(0).name, ways: figures, prepared, generic, answers: answers[0]! });
  }
  await client.end();
  return out;
}

async function explain(client: pg.Client, sql: string): Promise<{ plan: number; run: number }> {
  const { rows } = await client.query<{ 'QUERY PLAN': [Record<string, number>] }>(
    `explain (analyze, timing off, buffers off, format json) ${sql}`,
  );
  const plan = rows[0]!['QUERY PLAN'][0];
  return { plan: plan['Planning Time']!, run: plan['Execution Time']! };
}

async function answer(client: pg.Client, sql: string): Promise<string> {
  return JSON.stringify((await client.query(sql)).rows);
}

async function measurePrepared(
  client: pg.Client,
  pid: number,
  layout: Layout,
  ask: (k: number) => Question,
  mode: 'auto' | 'force_generic_plan',
): Promise<PreparedFigures> {
  await client.query(`set plan_cache_mode = ${mode}`);
  const top = ask(0).adId === undefined;
  const text = statement(layout, ask(0), { from: '$1', to: '$2', ad: '$3' });
  const wall: number[] = [];
  const cpu: number[] = [];
  for (let k = 0; k < PREPARED_WARM_UP + READS; k++) {
    const { name: question, fromMs, toMs, adId } = ask(k);
    const name = `${question} ${mode}`;
    const values = [new Date(fromMs), new Date(toMs), ...(top ? [] : [adId])];
    const cpuBefore = backendCpuMs(pid);
    const begin = performance.now();
    await client.query({ name, text, values });
    if (k < PREPARED_WARM_UP) continue;
    wall.push(performance.now() - begin);
    cpu.push(backendCpuMs(pid) - cpuBefore);
  }
  await client.query('set plan_cache_mode = auto');
  return { wallMs: median(wall), cpuMs: median(cpu) };
}
