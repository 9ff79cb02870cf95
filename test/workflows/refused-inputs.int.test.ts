import {
  ApplicationFailure,
  WorkflowFailedError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApi } from '../../api/app.js';
import type { Api } from '../../api/type-provider.js';
import { formatTime } from '../../core/range.js';
import { HOUR_MS } from '../../core/time.js';
import type {
  PublishRangeInput,
  ReplayRangeResult,
  WorkflowProgress,
} from '../../workflows/contract.js';
import { publishRangeStart, replayRangeStart } from '../../workflows/start-options.js';
import { MIGRATIONS, get } from '../api/support/open-api.js';
import { kafkaBrokers } from '../support/stack.js';
import { untilCounted } from '../support/stream.js';
import { until } from '../support/until.js';
import { Rig, clicksOf } from './support/rig.js';

const FIRST_MS = Date.UTC(2025, 10, 21, 10);
const hour = formatTime(FIRST_MS);
const range = { from: hour, to: formatTime(FIRST_MS + HOUR_MS) };
let rig: Rig;
let api: Api;

beforeAll(async () => {
  rig = await Rig.start();
  api = await createApi({ pool: rig.pool, migrations: MIGRATIONS });
  await rig.startWorker();
  await rig.produce(clicksOf(FIRST_MS, 200));
  await untilCounted(rig.pool, kafkaBrokers(), rig.topic);
});

afterAll(async () => {
  await api?.close();
  await rig?.close();
});

/** Type of the failure with which a run ends, or an update is refused. */
async function refusalOf(work: Promise<unknown>): Promise<string | null | undefined> {
  const error: unknown = await work.then(
    () => new Error('it was taken'),
    (e: unknown) => e,
  );
  const ended = error instanceof WorkflowFailedError || error instanceof WorkflowUpdateFailedError;
  if (ended && error.cause instanceof ApplicationFailure) return error.cause.type;
  throw error;
}

it('an approval with words that the ledger cannot take is refused, and the plan still waits', async () => {
  const input = { ...range, needsApproval: true, reason: 'first' };
  const { workflowType, ...options } = replayRangeStart(input);
  const run = await rig.client.workflow.start(workflowType, { ...options, args: [input] });
  const hash = await until('it waits for approval', async () => {
    const { awaitsApproval } = await run.query<WorkflowProgress>('progress');
    return awaitsApproval ?? undefined;
  });
  for (const [name, update] of [
    ['approve', null],
    ['approve', { hash: { toString: 1 } }],
    ['approve', { hash, actor: { toString: 1 } }],
    ['approve', { hash, actor: 'a\u0000b' }],
    ['reject', { actor: [null] }],
    ['reject', { actor: 'ada', reason: '\ud800' }],
  ] as const) {
    const asked = run.executeUpdate(name, { args: [update] });
    expect(await refusalOf(asked)).toBe('invalid_argument');
  }
  await run.executeUpdate('approve', { args: [{ hash, actor: 'ada' }] });
  expect(await run.result()).toMatchObject({ published: 1 } satisfies Partial<ReplayRangeResult>);
});

it('a publication typed wrong ends at once, and what was published is explained as before', async () => {
  const { rows } = await rig.pool.query<{ generation: string; reconciliation: string }>(
    `select p.generation, r.id as reconciliation
       from pointers p join reconciliations r using (generation)`,
  );
  const [generation, reconciliation] = Object.values(rows[0]!).map(Number);
  const right = { hour, generation, expectedRevision: 1, reconciliation };
  const wrong: readonly (readonly [string, object])[] = [
    ['invalid_argument', { hours: [null] }],
    ['invalid_argument', { hours: [[]] }],
    ['invalid_argument', { hours: [{ ...right, reconciliation: 'see mail of Monday' }] }],
    ['not_found', { hours: [{ ...right, reconciliation: reconciliation! + 1 }] }],
    ['invalid_argument', { hours: [{ ...right, examinedBy: 'q' }], kind: 'confirm' }],
    ['invalid_argument', { reason: 'a\u0000b' }],
    ['invalid_argument', { actor: { a: 1 } }],
  ];
  const input = { hours: [right], kind: 'publish', actor: 'ada', reason: 'again' };
  const { workflowType, ...options } = publishRangeStart(input as PublishRangeInput, 'typed');
  const publish = (change: object) =>
    rig.client.workflow.execute(workflowType, { ...options, args: [{ ...input, ...change }] });
  for (const [code, change] of wrong) expect(await refusalOf(publish(change))).toBe(code);
  await publish({});
  const told = await get(api, '/ads/ad-1/explain', { minute: hour });
  expect(told).toMatchObject({
    status: 200,
    body: {
      revision: 2,
      publications: [
        { actor: 'ada', reason: 'first', reconciliation: { id: reconciliation } },
        { actor: 'ada', reason: 'again', reconciliation: { id: reconciliation } },
      ],
    },
  });
});
