import { afterAll, beforeAll, expect, it } from 'vitest';
import { formatTime } from '../../core/range.js';
import { HOUR_MS } from '../../core/time.js';
import type { SettleResult } from '../../workflows/contract.js';
import { OUTCOME } from '../../workflows/search-attributes.js';
import { SETTLE_START } from '../../workflows/start-options.js';
import { truecount } from '../support/command-line.js';
import { kafkaBrokers } from '../support/stack.js';
import { untilCounted } from '../support/stream.js';
import { until } from '../support/until.js';
import { Rig, clicksOf, type WorkerProcess } from './support/rig.js';

// What a comparison decides has to reach people: in results, searches, the log, metrics and verbs.
const ALERTED_MS = Date.UTC(2025, 10, 21, 10);
const HELD_MS = ALERTED_MS + HOUR_MS;
const [ALERTED, HELD] = [ALERTED_MS, HELD_MS].map(formatTime) as [string, string];
const CLICKS = 2_000;
const UNKNOWN = '1 cells differ without a known cause (I6)';
const DRIFT = 940 / CLICKS;
let rig: Rig;
let worker: WorkerProcess;

beforeAll(async () => {
  rig = await Rig.start();
  await produce(ALERTED_MS);
  worker = await rig.startWorker();
});

afterAll(async () => {
  await rig?.close();
});

/** An hour whose live count has 47 % more than was clicked, and nothing that explains it. */
async function produce(hourMs: number): Promise<void> {
  await rig.produce(clicksOf(hourMs, CLICKS));
  await untilCounted(rig.pool, kafkaBrokers(), rig.topic);
  const { rowCount } = await rig.pool.query(
    `update live_cells set counts[1] = counts[1] + 940
      where (hour, filter, ad_id) = ($1, '', 'ad-3')`,
    [new Date(hourMs)],
  );
  expect(rowCount).toBeGreaterThan(0);
  await until('the hour is due', async () => {
    const { rows } = await rig.pool.query<{ due: Date }>('select hours_due_until() as due');
    return rows[0]!.due.getTime() >= hourMs;
  });
}

/** @returns what it says, and the word to search for it */
async function settle(): Promise<{ result: SettleResult; outcome: unknown }> {
  const { workflowType, ...options } = SETTLE_START;
  const handle = await rig.client.workflow.start(workflowType, { ...options, args: [{}] });
  const result = (await handle.result()) as SettleResult;
  const { typedSearchAttributes } = await handle.describe();
  return { result, outcome: typedSearchAttributes.get(OUTCOME) };
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${worker.url}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 'NaN');
}

/** It may still be on its way from the worker. */
async function logLine(words: string): Promise<string> {
  return until(`the log says: ${words}`, () => {
    const lines = worker.log.split('\n').slice(0, -1);
    return lines.find((line) => line.includes(words));
  });
}

/** What a verb prints, whatever it thinks of the rest of the stack. */
async function said(...verb: string[]): Promise<string> {
  return (await truecount(verb, rig.env)).stdout;
}

it('tells everywhere of an hour that was published with an alert', async () => {
  expect(await metric('truecount_reconcile_alerts_total{workflow="settleDueHours"}')).toBe(0);
  const { result, outcome } = await settle();
  expect(result).toMatchObject({
    ...{ published: 1, held: 0, failed: [], alerted: 1, holds: [] },
    alerts: [{ hour: ALERTED, drift: DRIFT, cellsDiffer: 1, reason: UNKNOWN }],
  });
  expect(outcome).toBe('published_alert');
  expect(await metric('truecount_reconcile_alerts_total{workflow="settleDueHours"}')).toBe(1);
  const line = await logLine('published with an alert');
  expect(JSON.parse(line)).toMatchObject({
    level: 50,
    msg: expect.stringContaining(`${ALERTED} was published with an alert: ${UNKNOWN}`) as string,
  });
  expect(await said('hours')).toContain(`published with an alert: ${UNKNOWN}`);
  const { hours } = JSON.parse(await said('hours', '--json')) as { hours: unknown[] };
  expect(hours).toMatchObject([
    { hour: ALERTED, waiting: null, alert: { drift: DRIFT, cells_differ: 1, reason: UNKNOWN } },
  ]);
  const alerted = '1 hour was published with an alert in the last 24 h';
  expect(await said('status')).toContain(alerted);
  expect(await said('doctor')).toMatch(new RegExp(`^warn .*${alerted}`, 'm'));
});

it('tells everywhere of an hour that it leaves to a person, and again in every settlement', async () => {
  await worker.stop();
  worker = await rig.startWorker({ TRUECOUNT_RECONCILE_OVER_THRESHOLD: 'hold' });
  await produce(HELD_MS);
  for (const cut of [1, 0]) {
    const { result, outcome } = await settle();
    expect(result).toMatchObject({
      ...{ cut, published: 0, held: 1, failed: [], alerted: 0, alerts: [] },
      holds: [{ hour: HELD, reason: UNKNOWN }],
    });
    expect(outcome).toBe('held');
  }
  const line = await logLine('is held for a person');
  expect(JSON.parse(line)).toMatchObject({
    level: 40,
    msg: expect.stringContaining(`${HELD} is held for a person: ${UNKNOWN}`) as string,
  });
  expect(await said('hours')).toMatch(new RegExp(`^${HELD} .*waits for a person: 1 cells`, 'm'));
  const { hours } = JSON.parse(await said('hours', '--json')) as { hours: unknown[] };
  expect(hours[1]).toMatchObject({ hour: HELD, revision: 0, waiting: { drift: DRIFT } });
  expect(await said('status')).toContain('1 hour waits for a person');
  expect(await said('doctor')).toMatch(/^warn .*1 hour waits for a person/m);

  await worker.stop();
  worker = await rig.startWorker();
  await until('it has counted them', async () => {
    return (await metric('truecount_hours_held{by="comparison"}')) === 1;
  });
});
