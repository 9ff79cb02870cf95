import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { formatTime } from '../../core/range.js';
import { hashRuleSet, ruleSetBody } from '../../core/rules/rule-set.js';
import { HOUR_MS } from '../../core/time.js';
import type {
  RecomputeHourResult,
  ReplayRangeInput,
  ReplayRangeResult,
  WorkflowProgress,
} from '../../workflows/contract.js';
import {
  cutHourStart,
  publishRangeStart,
  recomputeHourStart,
  replayRangeStart,
  SETTLE_START,
} from '../../workflows/start-options.js';
import { kafkaBrokers } from '../support/stack.js';
import { untilCounted } from '../support/stream.js';
import { until } from '../support/until.js';
import { recordHistory } from './support/histories.js';
import { Rig, clicksOf } from './support/rig.js';

const FIRST_MS = Date.UTC(2025, 10, 21, 10);
const HOURS = 3;
const CLICKS = 900;
const RANGE = {
  from: formatTime(FIRST_MS),
  to: formatTime(FIRST_MS + HOURS * HOUR_MS),
  actor: 'ada',
  reason: 'a test',
};
/** Another meaning of one field, so that every hour changes. */
const OTHER_RULES = {
  version: 1 as const,
  dimensions: [{ name: 'country', field: 'country', map: { UK: 'GB', DE: 'GB' } }],
};
const rules = hashRuleSet(OTHER_RULES);
let rig: Rig;

beforeAll(async () => {
  rig = await Rig.start();
  await rig.pool.query('insert into rule_sets (hash, body) values ($1, $2)', [
    rules,
    ruleSetBody(OTHER_RULES),
  ]);
  for (let i = 0; i < HOURS; i++) await rig.produce(clicksOf(FIRST_MS + i * HOUR_MS, CLICKS));
  await rig.startWorker();
});

afterAll(async () => {
  await rig?.close();
});

async function start(input: ReplayRangeInput): Promise<WorkflowHandle> {
  const { workflowType, ...options } = replayRangeStart(input);
  return rig.client.workflow.start(workflowType, { ...options, args: [input] });
}

async function resultOf(handle: WorkflowHandle): Promise<ReplayRangeResult> {
  return (await handle.result()) as ReplayRangeResult;
}

async function untilProgress(
  handle: WorkflowHandle,
  what: string,
  holds: (progress: WorkflowProgress) => boolean,
): Promise<WorkflowProgress> {
  return until(what, async () => {
    const progress = await handle.query<WorkflowProgress>('progress');
    return holds(progress) ? progress : undefined;
  });
}

async function publications(): Promise<number> {
  const { rows } = await rig.pool.query<{ n: number }>('select count(*)::int as n from ledger');
  return rows[0]!.n;
}

it('does the whole of a range: cut, recompute, compare, one publication', async () => {
  const handle = await start(RANGE);
  expect(await resultOf(handle)).toMatchObject({
    hours: HOURS,
    published: HOURS,
    confirmed: 0,
    held: 0,
    cellsDiffer: 0,
  });
  expect(await publications()).toBe(1);
  await recordHistory('replayRange', 'first', handle);
  await recordHistory(
    'recomputeHour',
    'plain',
    rig.client.workflow.getHandle(`recompute/${RANGE.from}/own`),
  );
});

it('changes nothing when nothing has changed', async () => {
  const result = await resultOf(await start(RANGE));
  const nothing = { publication: null, published: 0, confirmed: 0, held: 0 };
  expect(result).toMatchObject({ ...nothing, unchanged: HOURS });
  expect(await publications()).toBe(1);
});

it('can be searched for by what it did', async () => {
  await until('visibility has it', async () => {
    const query = `WorkflowType = 'replayRange' AND TruecountOutcome = 'published'
      AND TruecountTrigger = 'person' AND TruecountStage = 'done' AND TruecountDrift = 0
      AND TruecountFrom < '${RANGE.to}' AND TruecountTo > '${RANGE.from}'`;
    return (await rig.client.workflow.count(query.replaceAll('\n', ' '))).count === 1;
  });
});

it('waits for approval of the plan it shows, refuses another, then publishes all at once', async () => {
  const handle = await start({ ...RANGE, rules, needsApproval: true });
  const approve = (input: object): Promise<string> =>
    handle.executeUpdate('approve', { args: [input] });
  const { awaitsApproval, detail } = await untilProgress(
    handle,
    'it waits',
    (progress) => progress.awaitsApproval !== null,
  );
  expect(detail).toMatch(/^3 hours to publish, 0 to confirm; \d+ cells differ/);
  await expect(approve({ hash: 'another' })).rejects.toMatchObject({
    cause: { type: 'approval_stale' },
  });
  const before = await publications();
  expect(await approve({ hash: awaitsApproval, actor: 'grace' })).toContain('approved');
  const result = await resultOf(handle);
  expect(result).toMatchObject({ published: HOURS, planHash: awaitsApproval });
  expect(await publications()).toBe(before + 1);
  const { rows } = await rig.pool.query<{ body: string }>(
    'select body from ledger order by publication desc limit 1',
  );
  expect(JSON.parse(rows[0]!.body)).toMatchObject({ actor: 'grace', reason: 'a test' });
  await recordHistory('replayRange', 'approved', handle);
});

it('publishes nothing when it is rejected', async () => {
  const before = await publications();
  const own = await ownRules();
  const handle = await start({ ...RANGE, rules: own, needsApproval: true });
  await untilProgress(handle, 'it waits', (progress) => progress.awaitsApproval !== null);
  await handle.executeUpdate('reject', { args: [{ actor: 'grace', reason: 'too much' }] });
  await expect(handle.result()).rejects.toMatchObject({
    cause: { type: 'conflict', message: 'grace rejected the plan: too much' },
  });
  expect(await publications()).toBe(before);
  await recordHistory('replayRange', 'rejected', handle);
});

it('publishes nothing when nobody approves in time', async () => {
  const before = await publications();
  const input = {
    ...RANGE,
    rules: await ownRules(),
    needsApproval: true,
    approvalTimeoutMs: 1_000,
  };
  await expect((await start(input)).result()).rejects.toMatchObject({
    cause: { type: 'conflict', message: expect.stringContaining('in time') as string },
  });
  expect(await publications()).toBe(before);
});

it('stands still while it is paused, and ends when it is cancelled', async () => {
  const before = await publications();
  const input = { ...RANGE, rules: await ownRules() };
  const { workflowType, ...options } = replayRangeStart(input);
  const handle = await rig.client.workflow.signalWithStart(workflowType, {
    ...options,
    args: [input],
    signal: 'pause',
  });
  const paused = await untilProgress(handle, 'it has begun', ({ stage }) => stage === 'recompute');
  expect(paused).toMatchObject({ paused: true, hoursDone: 0 });
  await handle.cancel();
  await expect(handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
  expect(await publications()).toBe(before);
  await recordHistory('replayRange', 'cancelled', handle);
});

it('goes on after a pause, also after a restart of Temporal in the middle', async () => {
  const before = await publications();
  const input = { ...RANGE, rules: await ownRules() };
  const { workflowType, ...options } = replayRangeStart(input);
  const handle = await rig.client.workflow.signalWithStart(workflowType, {
    ...options,
    args: [input],
    signal: 'pause',
  });
  await untilProgress(handle, 'it is paused', ({ stage }) => stage === 'recompute');
  await rig.temporal.server?.restart();
  await until('it can be told to go on', async () => {
    await handle.signal('resume');
    return true;
  });
  expect(await resultOf(handle)).toMatchObject({ published: HOURS });
  expect(await publications()).toBe(before + 1);
  await recordHistory('replayRange', 'paused-and-restarted', handle);
});

it('keeps to a fix that was published while a settlement was at the hour', async () => {
  const hourMs = FIRST_MS + 20 * HOUR_MS;
  const hour = formatTime(hourMs);
  await rig.produce(clicksOf(hourMs, CLICKS));
  await resultOf(await start({ ...RANGE, from: hour, to: formatTime(hourMs + HOUR_MS) }));
  const fix = await rig.run<RecomputeHourResult>(recomputeHourStart({ hour, rules }), {
    hour,
    rules,
  });
  await rig.stopArchive();
  await rig.produce(clicksOf(hourMs, 3, CLICKS));
  await untilCounted(rig.pool, kafkaBrokers(), rig.topic);
  const { workflowType, ...options } = SETTLE_START;
  const settle = await rig.client.workflow.start(workflowType, { ...options, args: [{}] });
  const child = rig.client.workflow.getHandle(`recompute/${hour}/own`);
  await untilProgress(child, 'it waits for the archive', ({ stage }) => stage === 'archive');
  const publication = {
    hours: [{ hour, generation: fix.generation, expectedRevision: 1 }],
    ...{ kind: 'publish' as const, actor: 'ada', reason: 'the fix' },
  };
  await rig.run(publishRangeStart(publication, 'fix'), publication);
  await rig.startArchive();
  expect(await settle.result()).toMatchObject({ published: 1, failed: [] });
  const { rows } = await rig.pool.query<{ rules: string }>(
    `select g.rule_set as rules from pointers p join generations g on g.id = p.generation
      where p.hour = $1 order by p.revision`,
    [new Date(hourMs)],
  );
  expect(rows.map((row) => row.rules)).toEqual([await ownRules(), rules, rules]);
});

it('and a settlement, begun together, leave no hour on hold and lose no late click', async () => {
  const hours = Array.from({ length: 4 }, (_, i) => FIRST_MS + (40 + i) * HOUR_MS);
  for (const hourMs of hours) {
    await rig.produce(clicksOf(hourMs, 100));
    await rig.run(cutHourStart({ hour: formatTime(hourMs) }), { hour: formatTime(hourMs) });
    await rig.produce(clicksOf(hourMs, 10, 100));
  }
  await untilCounted(rig.pool, kafkaBrokers(), rig.topic);
  const range = { from: formatTime(hours[0]!), to: formatTime(hours.at(-1)! + HOUR_MS) };
  const { workflowType, ...options } = SETTLE_START;
  const settled = rig.client.workflow.execute(workflowType, { ...options, args: [range] });
  const replayed = resultOf(await start({ ...RANGE, ...range })).catch((error: unknown) => error);
  expect(await settled).toMatchObject({ held: 0, failed: [] });
  // Whoever comes second to an hour may be told so, and nothing else.
  const outcome = await replayed;
  if (outcome instanceof Error) {
    expect(outcome).toMatchObject({ cause: { type: 'revision_conflict' } });
  } else expect(outcome).toMatchObject({ held: 0 });
  const again = rig.client.workflow.execute(workflowType, { ...options, args: [range] });
  expect(await again).toMatchObject({ held: 0, failed: [] });
  const { rows } = await rig.pool.query<{ clicks: number }>(
    `select (select sum(n) from unnest(g.counted) n)::int as clicks
       from (select distinct on (hour) hour, generation from pointers
              where hour = any ($1::timestamptz[]) order by hour, revision desc) p
       join generations g on g.id = p.generation`,
    [hours.map((ms) => new Date(ms))],
  );
  expect(rows.map(({ clicks }) => clicks)).toEqual([110, 110, 110, 110]);
});

it('refuses a range that is not over', async () => {
  const from = formatTime(Math.floor(Date.now() / HOUR_MS) * HOUR_MS);
  const to = formatTime(Date.parse(from) + HOUR_MS);
  await expect((await start({ from, to })).result()).rejects.toMatchObject({
    cause: { type: 'conflict', message: expect.stringContaining('has not come yet') as string },
  });
});

async function ownRules(): Promise<string> {
  const { rows } = await rig.pool.query<{ hash: string }>('select hash from rule_versions');
  return rows[0]!.hash;
}
