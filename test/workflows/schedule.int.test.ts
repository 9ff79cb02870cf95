import { afterAll, beforeAll, expect, it } from 'vitest';
import { HOUR_MS } from '../../core/time.js';
import { loadConfig } from '../../runtime/config.js';
import { ensureSchedule } from '../../runtime/temporal/schedule.js';
import { ensureSearchAttributes } from '../../runtime/temporal/search-attributes.js';
import { readStatus } from '../../runtime/status.js';
import { SETTLE_SCHEDULE_ID } from '../../workflows/contract.js';
import { until } from '../support/until.js';
import { Rig, clicksOf, type WorkerProcess } from './support/rig.js';

const HOUR = Date.UTC(2025, 10, 21, 10);
const INTERVAL_MS = 2_000;
let rig: Rig;
let worker: WorkerProcess;

beforeAll(async () => {
  rig = await Rig.start({ settings: { TRUECOUNT_SETTLE_INTERVAL_MS: String(INTERVAL_MS) } });
  await rig.produce(clicksOf(HOUR, 200));
  worker = await rig.startWorker();
}, 120_000);

afterAll(async () => {
  await rig?.close();
});

it('settles hours by itself, once a worker runs', async () => {
  await until(
    'the hour is final',
    async () => {
      const { rows } = await rig.pool.query('select from pointers where hour = $1', [
        new Date(HOUR),
      ]);
      return rows.length === 1;
    },
    { deadlineMs: 60_000 },
  );
  const query = `WorkflowType = 'settleDueHours' AND TruecountTrigger = 'schedule'
    AND TruecountOutcome = 'published'`.replace(/\s+/g, ' ');
  await until('it can be searched for', async () => {
    return (await rig.client.workflow.count(query)).count === 1;
  });
}, 90_000);

it('tells of it in metrics, health and status', async () => {
  const metrics = await until('it has looked', async () => {
    const text = await (await fetch(`${worker.url}/metrics`)).text();
    return text.includes('truecount_settle_alarm 0') ? text : undefined;
  });
  expect(metrics).toMatch(/^truecount_settle_success_age_seconds \d/m);
  expect(metrics).toMatch(/^temporal_worker_task_slots_available/m);
  expect((await fetch(`${worker.url}/health/ready`)).status).toBe(200);
  const { health } = await readStatus(
    loadConfig({ env: rig.env, cwd: rig.folder, useStack: false }),
  );
  expect(health.find(({ name }) => name === 'settle')).toMatchObject({
    ok: true,
    detail: expect.stringMatching(/^every 2 s, last success 20/) as string,
  });
});

it('changes the schedule to what is configured, again and again, and leaves it paused', async () => {
  const handle = rig.client.schedule.getHandle(SETTLE_SCHEDULE_ID);
  await handle.pause('ask Ada');
  const settle = { ...rig.config.settle, intervalMs: 2 * HOUR_MS };
  for (let i = 0; i < 2; i++) await ensureSchedule(rig.client, { ...rig.config, settle });
  const { spec, state, policies } = await handle.describe();
  expect(spec.intervals).toMatchObject([{ every: 2 * HOUR_MS }]);
  expect(state).toMatchObject({ paused: true, note: 'ask Ada' });
  expect(policies.overlap).toBe('SKIP');
  const { health } = await readStatus(
    loadConfig({ env: rig.env, cwd: rig.folder, useStack: false }),
  );
  expect(health.find(({ name }) => name === 'settle')).toMatchObject({
    ok: false,
    detail: 'the schedule is paused: ask Ada',
  });
});

it('registers the search attributes where they are there already', async () => {
  await ensureSearchAttributes(rig.connection, rig.temporal.namespace);
});

it('ends in its orderly way when it is told to', async () => {
  expect(await worker.stop()).toBe(0);
});
