import { afterAll, beforeAll, expect, it } from 'vitest';
import { formatTime } from '../../core/range.js';
import { HOUR_MS } from '../../core/time.js';
import type { CutHourResult, RecomputeHourResult } from '../../workflows/contract.js';
import { cutHourStart, recomputeHourStart } from '../../workflows/start-options.js';
import { skipUnless } from '../support/skip-unless.js';
import { freezeTask } from './support/freeze-task.js';
import { recordHistory } from './support/histories.js';
import { Rig, clicksOf } from './support/rig.js';

// Recomputes of the same hours, again and again, with more and more workers, of which one is killed
// in the middle: each must give the checksum of the first (I5, I9).
const FIRST_MS = Date.UTC(2025, 10, 21, 10);
const HOURS = Array.from({ length: 4 }, (_, i) => formatTime(FIRST_MS + i * HOUR_MS));
const CLICKS = 3_000;
const itOnLinux = skipUnless(process.platform === 'linux', 'processes are found in /proc');
let rig: Rig;
let checksums: readonly string[];

beforeAll(async () => {
  rig = await Rig.start();
  for (let i = 0; i < HOURS.length; i++) {
    await rig.produce(clicksOf(FIRST_MS + i * HOUR_MS, CLICKS + i));
  }
}, 120_000);

afterAll(async () => {
  await rig?.close();
});

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

it('cuts hours at the line where the log ended, and counts them anew', async () => {
  await rig.startWorker();
  for (const hour of HOURS) {
    const cut = await rig.run<CutHourResult>(cutHourStart({ hour }), { hour });
    expect(cut).toMatchObject({ hour, cutNow: true });
    expect(cut.cut.reduce((sum, entry) => sum + entry.nextOffset, 0)).toBeGreaterThan(CLICKS);
  }
  const results = await resultsOf(await startAll());
  expect(results.map(({ clicks }) => clicks)).toEqual([3_000, 3_001, 3_002, 3_003]);
  expect(results.map(({ existed }) => existed)).toEqual([false, false, false, false]);
  checksums = results.map(({ checksum }) => checksum);
  expect(new Set(checksums).size).toBe(HOURS.length);
}, 120_000);

for (const workers of [1, 2, 4]) {
  itOnLinux(
    `gives the same cells with ${String(workers)} workers, one of them killed while a task runs`,
    async () => {
      while (rig.workers.length < workers) await rig.startWorker();
      const [victim] = rig.workers;
      const handles = await startAll();
      const task = await freezeTask(victim!, handles);
      await victim!.kill();
      process.kill(task, 'SIGKILL');
      rig.workers.shift();
      if (rig.workers.length === 0) await rig.startWorker();
      const results = await resultsOf(handles);
      expect(results.map(({ checksum }) => checksum)).toEqual(checksums);
      expect(results.map(({ existed }) => existed)).toEqual([true, true, true, true]);
      const { rows } = await rig.pool.query('select count(*)::int as n from generations');
      expect(rows).toEqual([{ n: HOURS.length }]);
      if (workers === 2) await recordHistory('recomputeHour', 'worker-killed', handles[0]!);
    },
    180_000,
  );
}

it('leaves no scratch objects behind, not even those of the killed', async () => {
  const { openLake } = await import('../../lake/open.js');
  const left: string[] = [];
  for await (const { key } of openLake(rig.config.lakeUrl).list('scratch/')) left.push(key);
  expect(left).toEqual([]);
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
