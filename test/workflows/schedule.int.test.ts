import { afterAll, beforeAll, expect, it } from 'vitest';
import { HOUR_MS } from '../../core/time.js';
import { loadConfig } from '../../runtime/config.js';
import { ensureSchedule } from '../../runtime/temporal/schedule.js';
import { ensureSearchAttributes } from '../../runtime/temporal/search-attributes.js';
import { readSettleFacts } from '../../runtime/temporal/settle-watch.js';
import { readStatus, type Health } from '../../runtime/status.js';
import { SETTLE_SCHEDULE_ID } from '../../workflows/contract.js';
import { truecount } from '../support/command-line.js';
import { until } from '../support/until.js';
import { skipUnless } from '../support/skip-unless.js';
import { Rig, clicksOf, type WorkerProcess } from './support/rig.js';

const HOUR = Date.UTC(2025, 10, 21, 10);
const INTERVAL_MS = 2_000;
let rig: Rig;
let worker: WorkerProcess;

beforeAll(async () => {
  rig = await Rig.start({ settings: { TRUECOUNT_SETTLE_INTERVAL_MS: String(INTERVAL_MS) } });
  await rig.produce(clicksOf(HOUR, 200));
  worker = await rig.startWorker();
});

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
});

it('tells of it in metrics, health and status', async () => {
  // A worker that is slow to start has made an outage.
  await untilQuiet();
  const metrics = await until('it has looked', async () => {
    const text = await (await fetch(`${worker.url}/metrics`)).text();
    return text.includes('truecount_settle_alarm 0') ? text : undefined;
  });
  expect(metrics).toMatch(/^truecount_settle_success_age_seconds \d/m);
  expect(metrics).toMatch(/^temporal_worker_task_slots_available/m);
  expect((await fetch(`${worker.url}/health/ready`)).status).toBe(200);
  expect(await health()).toMatchObject({
    ok: true,
    detail: expect.stringMatching(/^every 2 s, last success 20/) as string,
  });
});

/** What `status` says of the schedule; who asks has not watched it. */
async function health(): Promise<Health> {
  const { health: all } = await readStatus(
    loadConfig({ env: rig.env, cwd: rig.folder, useStack: false }),
  );
  return all.find(({ name }) => name === 'settle')!;
}

/** Longer than three intervals, and than the schedule's catch-up window (10 s at least). */
const OUTAGE_MS = 12_000;

async function outage(begunMs: number): Promise<void> {
  await until('the outage was long', () => Date.now() - begunMs > OUTAGE_MS);
}

/** The worker has looked anew, settlements succeed again, and everybody still learns of the outage. */
async function expectTold(): Promise<void> {
  const since = new Date().toISOString();
  await until('a settlement has succeeded', async () => {
    const { lastSuccessMs } = await readSettleFacts(rig.client, INTERVAL_MS);
    return new Date(lastSuccessMs ?? 0).toISOString() > since;
  });
  const told = await health();
  const still = /^settlements stood still for (\d+) s, until 20/.exec(told.warning ?? '');
  expect(Number(still?.[1])).toBeGreaterThanOrEqual(OUTAGE_MS / 1000);
  const text = await (await fetch(`${worker.url}/metrics`)).text();
  expect(text).toMatch(/^truecount_settle_alarm 1$/m);
  const env = { ...rig.env, NO_COLOR: '1' };
  const { stdout } = await truecount(['status'], env);
  expect(stdout).toMatch(/^warn +settle +settlements stood still for \d+ s/m);
  expect((await truecount(['doctor'], env)).stdout).toMatch(/^warn +settle +settlements stood/m);
  await until('the worker has said so', () => worker.log.includes('settle: settlements stood'));
}

async function untilQuiet(): Promise<void> {
  const quiet = async (): Promise<boolean> => {
    const { ok, warning } = await health();
    return ok && warning === undefined;
  };
  await until('ten settlements have passed', quiet, { deadlineMs: 90_000, everyMs: 500 });
}

it('raises the alarm after an outage of the worker, until ten settlements have passed', async () => {
  await untilQuiet();
  const begunMs = Date.now();
  await worker.stop();
  await outage(begunMs);
  expect(await health()).toMatchObject({
    ok: false,
    detail: expect.stringMatching(/^no settlement succeeded for \d+ s/) as string,
  });
  worker = await rig.startWorker();
  await expectTold();
  await untilQuiet();
});

skipUnless(process.env['TRUECOUNT_TEMPORAL_ADDRESS'] === undefined, 'the server is not ours')(
  'raises the alarm after an outage of Temporal and the worker together',
  async () => {
    const server = rig.temporal.server!.pid;
    const { missed } = await readSettleFacts(rig.client, INTERVAL_MS);
    await worker.kill();
    process.kill(server, 'SIGSTOP');
    try {
      await outage(Date.now());
    } finally {
      process.kill(server, 'SIGCONT');
    }
    worker = await rig.startWorker();
    await expectTold();
    expect((await readSettleFacts(rig.client, INTERVAL_MS)).missed).toBeGreaterThan(missed);
  },
);

it('changes the schedule to what is configured, again and again, and leaves it paused', async () => {
  const handle = rig.client.schedule.getHandle(SETTLE_SCHEDULE_ID);
  await handle.pause('ask Ada');
  const settle = { ...rig.config.settle, intervalMs: 2 * HOUR_MS };
  for (let i = 0; i < 2; i++) await ensureSchedule(rig.client, { ...rig.config, settle });
  const { spec, state, policies } = await handle.describe();
  expect(spec.intervals).toMatchObject([{ every: 2 * HOUR_MS }]);
  expect(state).toMatchObject({ paused: true, note: 'ask Ada' });
  expect(policies.overlap).toBe('SKIP');
  expect(await health()).toMatchObject({
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
