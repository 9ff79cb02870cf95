import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { addFlows } from '../../batch/flow.js';
import { planTasks } from '../../batch/plan-tasks.js';
import type { RunOptions, TaskRunner } from '../../batch/runner.js';
import type { AggregateResult, AggregateTask } from '../../batch/task.js';
import type { GenerationDraft } from '../../core/generation-draft.js';
import { hashRuleSet, DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { createTaskRunner } from '../../runtime/task-runner.js';
import { checksumOf, coreEngine } from '../contract/support/engine.js';
import type { Answer, Question } from '../contract/support/engine.js';
import { click } from '../contract/support/case.js';
import { HOUR, makeLog } from '../contract/support/log.js';
import { storeHour } from '../support/cell-rows.js';
import { openTestLake } from '../support/lake-files.js';
import type { TestLake } from '../support/lake-files.js';
import { freshDatabase } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';
import { until } from '../support/until.js';

const TOPIC = 't';
const CUT = [0, 1].map((partition) => ({ topic: TOPIC, partition, nextOffset: 100_000_000 }));

let lake: TestLake;
let question: Question;
let wanted: Answer;
let tasks: AggregateTask[];
let database: TestDatabase;

beforeAll(async () => {
  lake = await openTestLake();
  const entries = Array.from({ length: 3_000 }, (_, i) => ({
    ...click({ event_id: `e${String(i % 2_800)}`, ad_id: `ad-${String(i % 50)}` }),
    topic: TOPIC,
    partition: i % 2,
  }));
  const log = makeLog(entries);
  question = { log, hourMs: HOUR, ruleSet: DEFAULT_RULE_SET, cut: CUT };
  wanted = await coreEngine.count(question);
  const files = await lake.write(log, 2);
  tasks = planTasks({ ...question, files }, { rowsPerTaskMin: 1 });
  expect(tasks).toHaveLength(2);
});

beforeEach(async () => {
  database = await freshDatabase();
  await storeHour(database, HOUR, DEFAULT_RULE_SET, CUT);
  return () => database.close();
});

afterAll(async () => {
  await until('processes without a task end', () => taskProcesses('idle').length === 0);
  await lake.close();
});

function home(): string {
  return join(lake.folder, 'home');
}

function runner(batch: Partial<Record<'memoryMb' | 'rowsPerFileMax', number>> = {}): TaskRunner {
  return createTaskRunner({
    home: home(),
    lakeUrl: lake.lake.url,
    postgresUrl: database.url,
    postgresPoolSize: 1,
    batch: { memoryMb: 128, threads: 1, rowsPerFileMax: 10_000_000, ...batch },
  });
}

const quiet: RunOptions = { signal: new AbortController().signal, onProgress: () => undefined };

function draftOf(results: readonly AggregateResult[]): GenerationDraft {
  const ruleSet = DEFAULT_RULE_SET;
  const inputs = { hourMs: HOUR, ruleSet: hashRuleSet(ruleSet), cut: CUT };
  const flow = addFlows(results.map((result) => result.flow));
  return { inputs, ruleSet, flow, fileIds: [], builtBy: 'test' };
}

/** Processes of tasks that this process has started: those that run one now, or those that wait. */
function taskProcesses(which: 'busy' | 'idle' = 'busy'): number[] {
  const children = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)], {
    encoding: 'utf8',
  });
  const isWanted =
    which === 'idle' ? /truecount task: idle/ : /task-process|truecount task: (?!idle)/;
  const lines = children.split('\n').filter((line) => isWanted.test(line));
  return lines.map((line) => Number.parseInt(line, 10));
}

function expectNoScratch(): void {
  expect(readdirSync(join(home(), 'scratch'))).toEqual([]);
}

async function expectNothingLoaded(): Promise<void> {
  const { rows } = await database.pool.query(
    'select (select count(*) from generations) + (select count(*) from generation_cells) as n',
  );
  expect(rows).toEqual([{ n: '0' }]);
}

/** A load that has copied all cells and waits for this test before it registers the generation. */
async function heldLoad(results: readonly AggregateResult[], signal: AbortSignal) {
  const blocker = await database.pool.connect();
  const release = async (): Promise<void> => {
    await blocker.query('rollback');
    blocker.release();
  };
  await blocker.query('begin');
  await blocker.query('lock table generations in share mode');
  const cells = results.map((result) => result.cells);
  const loading = runner().load(draftOf(results), cells, { ...quiet, signal });
  loading.catch(() => undefined);
  try {
    await until('the load waits in Postgres', async () => {
      const waiting = await loadSessions("and wait_event_type = 'Lock'");
      return waiting === 1;
    });
  } catch (error) {
    await release();
    throw error;
  }
  return { loading, release };
}

async function loadSessions(where = ''): Promise<number | null> {
  const { rowCount } = await database.pool.query(
    `select from pg_stat_activity
      where application_name = 'truecount-load' and datname = current_database() ${where}`,
  );
  return rowCount;
}

describe('tasks in other processes', () => {
  test('count and load a generation that is what core counts; again, it is the same one', async () => {
    const stages = new Set<string>();
    const options = { ...quiet, onProgress: ({ stage }: { stage: string }) => stages.add(stage) };
    const run = runner();
    const results = await Promise.all(tasks.map((task) => run.aggregate(task, options)));
    const cells = results.map((result) => result.cells);
    const loaded = await run.load(draftOf(results), cells, options);
    expect(loaded).toMatchObject({
      checksum: checksumOf(wanted),
      cells: wanted.cells.size,
      clicks: 2_800,
      existed: false,
    });
    expect(await run.load(draftOf(results), cells, options)).toEqual({ ...loaded, existed: true });
    expect([...stages]).toEqual([
      'verify files',
      'look for duplicates',
      'count',
      'write cells',
      'sort cells',
      'load cells',
    ]);
    expect(taskProcesses()).toEqual([]);
    expectNoScratch();
  });

  test('an aborted task is killed, and its promise fails with the reason', async () => {
    const abort = new AbortController();
    const running = runner().aggregate(tasks[0]!, {
      signal: abort.signal,
      onProgress: () => {
        expect(taskProcesses()).toHaveLength(1);
        abort.abort(new Error('changed my mind'));
      },
    });
    await expect(running).rejects.toThrow('changed my mind');
    expect(taskProcesses()).toEqual([]);
    expectNoScratch();
    const late = runner().aggregate(tasks[0]!, { ...quiet, signal: abort.signal });
    await expect(late).rejects.toThrow('changed my mind');
  });

  test('a process takes one task after another, until one of them fails', async () => {
    const run = runner();
    const used = new Set<number>();
    const onProgress = (): void => taskProcesses().forEach((pid) => used.add(pid));
    for (const task of [...tasks, ...tasks]) await run.aggregate(task, { ...quiet, onProgress });
    expect(used.size).toBe(1);
    const [pid] = used;
    expect(taskProcesses('idle')).toContain(pid);
    const missing = { ...tasks[0]!.files[0]!, key: 'no/such/file.parquet' };
    const failing = run.aggregate({ ...tasks[0]!, files: [missing] }, { ...quiet, onProgress });
    await expect(failing).rejects.toMatchObject({ code: 'lake_file_missing' });
    expect([...taskProcesses(), ...taskProcesses('idle')]).not.toContain(pid);
    await run.aggregate(tasks[0]!, { ...quiet, onProgress });
    expect(used.size).toBe(2);
  });

  test('a process that dies while it waits costs no task its attempt', async () => {
    const run = runner();
    await run.aggregate(tasks[0]!, quiet);
    const waiting = taskProcesses('idle');
    expect(waiting.length).toBeGreaterThan(0);
    // The pool cannot have heard of it when it hands out the next task.
    for (const pid of waiting) process.kill(pid, 'SIGKILL');
    expect((await run.aggregate(tasks[0]!, quiet)).rowsRead).toBeGreaterThan(0);
  });

  test('a process leaves it to its parent what becomes of Ctrl-C', async () => {
    const running = runner().aggregate(tasks[0]!, {
      ...quiet,
      onProgress: () => {
        for (const pid of taskProcesses()) process.kill(pid, 'SIGINT');
      },
    });
    expect((await running).rowsRead).toBeGreaterThan(0);
  });

  test('a process that dies is kernel_failed, with the signal', async () => {
    const running = runner().aggregate(tasks[0]!, {
      ...quiet,
      onProgress: () => {
        for (const pid of taskProcesses()) process.kill(pid, 'SIGKILL');
      },
    });
    await expect(running).rejects.toMatchObject({
      code: 'kernel_failed',
      message: expect.stringContaining('SIGKILL') as unknown,
    });
    expectNoScratch();
  });

  test('an error keeps its code and names the file on its way out of the process', async () => {
    const [file] = tasks[0]!.files;
    const { path } = await lake.lake.fetch(file!.key);
    const sound = await readFile(path);
    await writeFile(path, sound.subarray(0, 100));
    const running = runner().aggregate(tasks[0]!, quiet);
    await expect(running).rejects.toMatchObject({
      code: 'lake_file_damaged',
      message: expect.stringContaining(file!.key) as unknown,
      hint: expect.stringContaining('restore') as unknown,
      context: { key: file!.key },
    });
    await writeFile(path, sound);
  });

  test.each(['aborted', 'killed'])('a load that is %s leaves nothing', async (how) => {
    const run = runner();
    const results = [];
    for (const task of tasks) results.push(await run.aggregate(task, quiet));
    const abort = new AbortController();
    const { loading, release } = await heldLoad(results, abort.signal);
    if (how === 'aborted') abort.abort(new Error('enough'));
    else for (const pid of taskProcesses()) process.kill(pid, 'SIGKILL');
    await expect(loading).rejects.toThrow(how === 'aborted' ? 'enough' : 'SIGKILL');
    await release();
    await until('the session of the load is gone', async () => (await loadSessions()) === 0);
    await expectNothingLoaded();
    expectNoScratch();
  });

  test('folders of processes that are gone are removed by the next task', async () => {
    const orphan = join(home(), 'scratch', '999999999@gone-abcdef');
    mkdirSync(orphan, { recursive: true });
    await runner().aggregate(tasks[0]!, quiet);
    expect(existsSync(orphan)).toBe(false);
  });
});

describe('memory', () => {
  test('of a process stays bounded where every click has to be looked at', async () => {
    const clicks = 2_100_000;
    const bomb = await lake.writeSql(
      `select 't' as topic, 0::integer as partition, range as log_offset, ${String(HOUR)} as append_ms,
              ${String(HOUR)} as event_ms, 'a' as ad_id, (range % 7)::varchar as event_id,
              null::varchar as user_id, null::varchar as ip, null::varchar as country,
              null::varchar as device, null::varchar as ad_format, null::varchar as rest
         from range(${String(clicks)})`,
      clicks,
    );
    let peakKb = 0;
    const { flow } = await runner({ memoryMb: 64 }).aggregate(
      { ...tasks[0]!, files: [bomb] },
      {
        ...quiet,
        onProgress: () => {
          for (const pid of taskProcesses()) peakKb = Math.max(peakKb, peakOf(pid));
        },
      },
    );
    expect([flow.received[0], flow.counted[0], flow.duplicate[0]]).toEqual([clicks, 7, clicks - 7]);
    // Node with the engine loaded takes about 130 MB before it has read a click.
    expect(peakKb).toBeGreaterThan(10_000);
    expect(peakKb).toBeLessThan((64 + 300) * 1024);
  });
});

/** The most memory that a process has had so far, in KiB (proc(5), VmHWM); elsewhere what it has. */
function peakOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${String(pid)}/status`, 'latin1');
    return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  } catch {
    const rss = execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' });
    return Number(rss);
  }
}
