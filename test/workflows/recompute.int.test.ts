import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatTime } from '../../core/range.js';
import { hashRuleSet, type RuleSet } from '../../core/rules/rule-set.js';
import { HOUR_MS } from '../../core/time.js';
import { openLake } from '../../lake/open.js';
import type { CutHourResult, RecomputeHourResult } from '../../workflows/contract.js';
import {
  cutHourStart,
  recomputeHourStart,
  replayRangeStart,
} from '../../workflows/start-options.js';
import { storeRules } from '../support/cell-rows.js';
import { skipUnless } from '../support/skip-unless.js';
import { DAMAGES, damageFile } from './support/damage.js';
import { freezeTask } from './support/freeze-task.js';
import { recordHistory } from './support/histories.js';
import { Rig, clicksOf } from './support/rig.js';

// Recomputes of the same hours, again and again, with more and more workers, of which one is killed
// in the middle: each must give the checksum of the first (I5, I9).
const FIRST_MS = Date.UTC(2025, 10, 21, 10);
const HOURS = Array.from({ length: 4 }, (_, i) => formatTime(FIRST_MS + i * HOUR_MS));
const CLICKS = 3_000;
/** Files that each commit of the archive splits an hour into: it can have so many tasks. */
const BUCKETS = 4;
/** Settings of workers that plan so many; the first worker plans one, as for all small hours. */
const SPLIT = { TRUECOUNT_BATCH_ROWS_PER_TASK_MIN: '500' };
const itOnLinux = skipUnless(process.platform === 'linux', 'processes are found in /proc');
let rig: Rig;
let checksums: readonly string[];

beforeAll(async () => {
  rig = await Rig.start({ archive: false });
  await rig.startArchive({ buckets: BUCKETS, sharedRowsMax: 1 });
  for (let i = 0; i < HOURS.length; i++) {
    await rig.produce(clicksOf(FIRST_MS + i * HOUR_MS, CLICKS + i));
  }
});

afterAll(async () => {
  await rig?.close();
});

async function scratch(): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of openLake(rig.config.lakeUrl).list('scratch/')) keys.push(key);
  return keys;
}

async function startAll() {
  return Promise.all(
    HOURS.map((hour) => {
      const { workflowType, ...options } = recomputeHourStart({ hour });
      return rig.client.workflow.start(workflowType, { ...options, args: [{ hour }] });
    }),
  );
}

async function resultsOf(
  handles: Awaited<ReturnType<typeof startAll>>,
): Promise<RecomputeHourResult[]> {
  return (await Promise.all(handles.map((handle) => handle.result()))) as RecomputeHourResult[];
}

/** How many tasks a recompute was split into. */
async function tasksOf(handle: WorkflowHandle): Promise<number> {
  const { events = [] } = await handle.fetchHistory();
  const scheduled = events?.map((event) => event.activityTaskScheduledEventAttributes) ?? [];
  return scheduled.filter((one) => one?.activityType?.name === 'aggregateTask').length;
}

it('cuts hours at the line where the log ended, and counts them anew', async () => {
  await rig.startWorker();
  for (const hour of HOURS) {
    const cut = await rig.run<CutHourResult>(cutHourStart({ hour }), { hour });
    expect(cut).toMatchObject({ hour, cutNow: true });
    expect(cut.cut.reduce((sum, entry) => sum + entry.nextOffset, 0)).toBeGreaterThan(CLICKS);
  }
  const handles = await startAll();
  const results = await resultsOf(handles);
  for (const handle of handles) expect(await tasksOf(handle)).toBe(1);
  expect(results.map(({ clicks }) => clicks)).toEqual([3_000, 3_001, 3_002, 3_003]);
  expect(results.map(({ existed }) => existed)).toEqual([false, false, false, false]);
  checksums = results.map(({ checksum }) => checksum);
  expect(new Set(checksums).size).toBe(HOURS.length);
});

for (const workers of [1, 2, 4]) {
  const what = workers === 1 ? '1 worker' : `${String(workers)} workers and several tasks an hour`;
  itOnLinux(
    `gives the same cells with ${what}, where a worker is killed while a task runs`,
    async () => {
      while (rig.workers.length < workers) await rig.startWorker(SPLIT);
      const [victim] = rig.workers;
      const handles = await startAll();
      const task = await freezeTask(victim!, handles);
      await victim!.kill();
      process.kill(task, 'SIGKILL');
      rig.workers.shift();
      if (rig.workers.length === 0) await rig.startWorker(SPLIT);
      const results = await resultsOf(handles);
      expect(results.map(({ checksum }) => checksum)).toEqual(checksums);
      expect(results.map(({ existed }) => existed)).toEqual([true, true, true, true]);
      const { rows } = await rig.pool.query('select count(*)::int as n from generations');
      expect(rows).toEqual([{ n: HOURS.length }]);
      if (workers > 1) for (const handle of handles) expect(await tasksOf(handle)).toBe(BUCKETS);
      if (workers === 2) await recordHistory('recomputeHour', 'worker-killed', handles[0]!);
    },
  );
}

it('leaves no scratch objects behind, not even those of the killed', async () => {
  expect(await scratch()).toEqual([]);
});

describe('a final hour, of whose files in the lake one is not what the manifest says', () => {
  const [hour] = HOURS as [string];
  const replay = { from: hour, to: HOURS[1]!, actor: 'ada', reason: 'a test' };
  const country = { name: 'country', field: 'country', map: { UK: 'GB', DE: 'GB' } };
  const other: RuleSet = { version: 1, dimensions: [country] };
  const rules = hashRuleSet(other);

  beforeAll(async () => {
    await storeRules(rig.database, other);
    const result = await rig.run(replayRangeStart(replay), replay);
    expect(result).toMatchObject({ published: 1 });
  });

  /** All that is served, was served or might be. */
  async function everything(): Promise<unknown> {
    const { rows } = await rig.pool.query(
      `select (select json_agg(p order by hour, revision) from pointers p) as pointers,
              (select json_agg(l order by publication) from ledger l) as ledger,
              (select json_agg(g order by id) from generations g) as generations,
              (select md5(string_agg(c::text, '' order by c::text)) from generation_cells c) as cells,
              (select md5(string_agg(s::text, '' order by s::text)) from served_cells s) as served`,
    );
    return rows[0];
  }

  const cases = DAMAGES.map((damage) => [damage.name, damage] as const);
  it.each(cases)('%s: it is refused by name, and nothing has changed', async (_name, damage) => {
    const before = await everything();
    const damaged = await damageFile(rig, Date.parse(hour), damage);
    const refused = {
      cause: {
        ...{ type: damage.code, nonRetryable: true },
        message: expect.stringMatching(damage.saying) as string,
        details: [{ key: damaged.key }],
      },
    };
    try {
      await expect(rig.run(recomputeHourStart({ hour }), { hour })).rejects.toMatchObject(refused);
      const byOthers = { ...replay, rules };
      await expect(rig.run(replayRangeStart(byOthers), byOthers)).rejects.toMatchObject(refused);
      expect(await everything()).toEqual(before);
      expect(await scratch()).toEqual([]);
    } finally {
      await damaged.restore();
    }
  });

  it('is counted as before when the file is there again', async () => {
    const again = await rig.run<RecomputeHourResult>(recomputeHourStart({ hour }), { hour });
    expect(again).toMatchObject({ checksum: checksums[0], existed: true });
  });
});

it.each([
  [{ hour: '2025-11-21T10:30:00Z' }, 'invalid_range', 'use 2025-11-21T10:00:00Z'],
  [{ hour: 'noon' }, 'invalid_argument', 'hour is no time'],
  [{}, 'invalid_argument', 'hour is missing'],
  [{ hour: '2025-11-21T10', rules: 'mine' }, 'invalid_argument', '64 lower-case hex digits'],
  [{ hour: '2025-11-21T10', rules: 'a'.repeat(64) }, 'not_found', 'is not stored'],
  [{ hour: '2024-01-01T00' }, 'not_found', 'nothing was counted'],
])('refuses %j with %s', async (input, type, words) => {
  const workflowId = `refused-${JSON.stringify(input)}`;
  const { taskQueue } = recomputeHourStart({ hour: '2025-11-21T10' });
  const run = rig.client.workflow.execute('recomputeHour', {
    workflowId,
    taskQueue,
    args: [input],
  });
  await expect(run).rejects.toMatchObject({
    cause: { type, nonRetryable: true, message: expect.stringContaining(words) as string },
  });
});
