import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { formatTime } from '../../core/range.js';
import { HOUR_MS } from '../../core/time.js';
import { openLake } from '../../lake/open.js';
import type {
  CutHourResult,
  PublishHour,
  PublishRangeInput,
  PublishRangeResult,
  RecomputeHourResult,
  ReconcileHourResult,
} from '../../workflows/contract.js';
import {
  cutHourStart,
  publishRangeStart,
  recomputeHourStart,
  reconcileHourStart,
  type StartOptions,
} from '../../workflows/start-options.js';
import { Gates } from '../support/faults/gates.js';
import { isAlive, taskProcessesOf } from '../support/faults/task-processes.js';
import { skipUnless } from '../support/skip-unless.js';
import { until } from '../support/until.js';
import { freezeTask } from './support/freeze-task.js';
import { recordHistory } from './support/histories.js';
import { Rig, clicksOf, type WorkerProcess } from './support/rig.js';

// The steps of one hour, each started by hand, and recomputes that are cancelled while a task runs.
// The hours have the same clicks but for their ids: their checksums are equal.
const FIRST_MS = Date.UTC(2025, 10, 21, 10);
const HOURS_MS = Array.from({ length: 5 }, (_, i) => FIRST_MS + i * HOUR_MS);
const HOURS = HOURS_MS.map(formatTime);
type Five = [string, string, string, string, string];
const [PLAIN, ALTERED, COUNTING, GOING_ON, LOADING] = HOURS as Five;
const CLICKS = 2_000;
const RECORDS = HOURS.length * (CLICKS + CLICKS / 10);
const itOnLinux = skipUnless(process.platform === 'linux', 'processes are found in /proc');
let rig: Rig;
let worker: WorkerProcess;
let undisturbed: RecomputeHourResult;
let altered: RecomputeHourResult;

beforeAll(async () => {
  rig = await Rig.start();
  for (const hourMs of HOURS_MS) await rig.produce(clicksOf(hourMs, CLICKS));
  worker = await rig.startWorker();
});

afterAll(async () => {
  await rig?.close();
});

function begin({ workflowType, ...options }: StartOptions, input: object): Promise<WorkflowHandle> {
  return rig.client.workflow.start(workflowType, { ...options, args: [input] });
}

async function recompute(hour: string): Promise<RecomputeHourResult> {
  return rig.run(recomputeHourStart({ hour }), { hour });
}

async function reconcile(
  { hour, generation }: RecomputeHourResult,
  scenario: string,
): Promise<ReconcileHourResult> {
  const handle = await begin(reconcileHourStart({ hour, generation }), { hour, generation });
  const result = (await handle.result()) as ReconcileHourResult;
  await recordHistory('reconcileHour', scenario, handle);
  return result;
}

it('cuts an hour where the log ended; an hour that is cut keeps its cut', async () => {
  const cut = async (hour: string, scenario: string): Promise<CutHourResult> => {
    const handle = await begin(cutHourStart({ hour }), { hour });
    const result = (await handle.result()) as CutHourResult;
    await recordHistory('cutHour', scenario, handle);
    return result;
  };
  const first = await cut(PLAIN, 'plain');
  expect(first).toMatchObject({ hour: PLAIN, cutNow: true });
  expect(first.cut.reduce((sum, { nextOffset }) => sum + nextOffset, 0)).toBe(RECORDS);
  await rig.produce(clicksOf(FIRST_MS, 100));
  expect(await cut(PLAIN, 'was-cut')).toEqual({ ...first, cutNow: false });
  for (const hour of HOURS.slice(1)) {
    expect(await rig.run(cutHourStart({ hour }), { hour })).toMatchObject({ cutNow: true });
  }
});

it('lets an hour be published that equals what was counted live', async () => {
  undisturbed = await recompute(PLAIN);
  expect(undisturbed).toMatchObject({ clicks: CLICKS, existed: false });
  expect(await reconcile(undisturbed, 'plain')).toMatchObject({
    ...{ hour: PLAIN, generation: undisturbed.generation, cellsDiffer: 0, drift: 0 },
    ...{ decision: 'publish', reason: 'no cell differs' },
    ...{ revision: 0, served: null, unchanged: false },
  });
});

it('tells of a cell that nothing explains, by the report that it kept', async () => {
  altered = await recompute(ALTERED);
  await rig.pool.query(
    `update live_cells set counts[1] = counts[1] + 7
      where (hour, filter, ad_id) = ($1, '', 'ad-3')`,
    [new Date(ALTERED)],
  );
  const result = await reconcile(altered, 'alert');
  expect(result).toMatchObject({
    ...{ hour: ALTERED, cellsDiffer: 1, drift: 7 / CLICKS, decision: 'publish_alert' },
    reason: '1 cells differ without a known cause (I6)',
  });
  const { rows } = await rig.pool.query(
    'select decision, cells_differ::int as n from reconciliations where id = $1',
    [result.reconciliation],
  );
  expect(rows).toEqual([{ decision: 'publish_alert', n: 1 }]);
});

it('lets one of two publishers win, and tells the other the revision that is there', async () => {
  const hours = [altered, undisturbed].map(({ hour, generation }): PublishHour => ({
    hour,
    generation,
    expectedRevision: 0,
  }));
  const publishers = await Promise.all(
    ['ada', 'grace'].map((actor) => {
      const input: PublishRangeInput = { hours, kind: 'publish', actor, reason: 'a test' };
      return begin(publishRangeStart(input, actor), input);
    }),
  );
  const ends = await Promise.allSettled(publishers.map((handle) => handle.result()));
  const winner = ends.findIndex(({ status }) => status === 'fulfilled');
  const [won, lost] = [ends[winner], ends[1 - winner]];
  if (won?.status !== 'fulfilled' || lost?.status !== 'rejected') throw new Error('no one winner');
  const { publication, hours: published } = won.value as PublishRangeResult;
  expect(published).toEqual([PLAIN, ALTERED].map((hour) => ({ hour, revision: 1 })));
  expect(lost.reason).toMatchObject({
    cause: {
      ...{ type: 'revision_conflict', nonRetryable: true },
      message: expect.stringContaining(`${PLAIN} is at revision 1, not at 0`) as string,
      details: [{ hour: PLAIN, revision: 1, expected: 0 }],
    },
  });
  const { rows } = await rig.pool.query(
    `select l.publication::int, l.kind, p.generation::int from ledger l join pointers p
      using (publication) order by p.hour`,
  );
  const entry = { publication, kind: 'publish' };
  expect(rows).toEqual([
    { ...entry, generation: undisturbed.generation },
    { ...entry, generation: altered.generation },
  ]);
  await recordHistory('publishRange', 'plain', publishers[winner]!);
  await recordHistory('publishRange', 'lost', publishers[1 - winner]!);
});

/** Keys of the lake's scratch objects. */
async function scratch(): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of openLake(rig.config.lakeUrl).list('scratch/')) keys.push(key);
  return keys;
}

/** It says that it was cancelled, and by then it has tidied up. */
async function expectCancelled(handle: WorkflowHandle): Promise<void> {
  await expect(handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
  expect((await handle.describe()).status.name).toBe('CANCELLED');
  expect(await scratch()).toEqual([]);
}

async function expectTaskGone(task: number): Promise<void> {
  await until("the task's process is gone", () => !isAlive(task));
  const folders = join(rig.folder, 'scratch');
  await until("the task's folder is gone", () => readdirSync(folders).length === 0);
}

async function expectNothingLoaded(hour: string): Promise<void> {
  await until('no transaction of a load is left', async () => {
    const { rows } = await rig.pool.query(
      `select from pg_stat_activity
        where datname = current_database() and application_name = 'truecount-load'`,
    );
    return rows.length === 0;
  });
  const generations = await rig.pool.query('select from generations where hour = $1', [
    new Date(hour),
  ]);
  expect(generations.rows).toEqual([]);
  const { rows: strays } = await rig.pool.query(
    `select distinct generation from generation_cells c
      where not exists (select from generations g where g.id = c.generation)`,
  );
  expect(strays).toEqual([]);
}

/** Afterwards the hour is counted as if nothing had happened. */
async function expectUndisturbed(hour: string): Promise<void> {
  const { clicks, cells, checksum } = undisturbed;
  expect(await recompute(hour)).toMatchObject({ clicks, cells, checksum, existed: false });
}

itOnLinux(
  'ends a recompute that is cancelled while its task counts, and leaves nothing of it',
  async () => {
    const handle = await begin(recomputeHourStart({ hour: COUNTING }), { hour: COUNTING });
    const task = await freezeTask(worker, [handle]);
    await handle.cancel();
    await expectCancelled(handle);
    await expectTaskGone(task);
    await expectNothingLoaded(COUNTING);
    await recordHistory('recomputeHour', 'cancelled', handle);
    await expectUndisturbed(COUNTING);
  },
);

itOnLinux('tidies up also what a task writes before it hears of the cancellation', async () => {
  const handle = await begin(recomputeHourStart({ hour: GOING_ON }), { hour: GOING_ON });
  const task = await freezeTask(worker, [handle]);
  await handle.cancel();
  await until('the task is going to be told', async () => {
    const { events } = await handle.fetchHistory();
    return events?.some((event) => event.activityTaskCancelRequestedEventAttributes);
  });
  if (isAlive(task)) process.kill(task, 'SIGCONT');
  await until('it has ended', () => !taskProcessesOf(worker.pid, 'busy').includes(task));
  await expectCancelled(handle);
  await expectNothingLoaded(GOING_ON);
  await expectUndisturbed(GOING_ON);
});

/** Signs of life are passed on every 4 s: only the answer to one tells a worker of a cancellation. */
const SILENT_MS = 6_000;

async function isSilent(handle: WorkflowHandle): Promise<boolean> {
  const { raw } = await handle.describe();
  const seconds = raw.pendingActivities?.[0]?.lastHeartbeatTime?.seconds;
  return Date.now() - Number(seconds) * 1_000 > SILENT_MS;
}

itOnLinux(
  'ends a recompute that is cancelled in the middle of its load, and leaves nothing of it',
  async () => {
    const gates = await Gates.install(rig.pool, rig.database.url);
    try {
      await gates.close('copied', Date.parse(LOADING));
      const handle = await begin(recomputeHourStart({ hour: LOADING }), { hour: LOADING });
      const gate = (): Promise<boolean> => gates.isReached('copied', Date.parse(LOADING));
      await until('its cells are copied', gate);
      expect(await scratch()).not.toEqual([]);
      const task = await freezeTask(worker, [handle]);
      await until('no sign of life is on its way', () => isSilent(handle));
      await handle.cancel();
      await expectCancelled(handle);
      await expectTaskGone(task);
      await gates.openAll();
      await expectNothingLoaded(LOADING);
      await recordHistory('recomputeHour', 'cancelled-while-loading', handle);
      await expectUndisturbed(LOADING);
    } finally {
      await gates.end();
    }
  },
);
