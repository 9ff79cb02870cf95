import { afterEach, beforeEach, expect, test } from 'vitest';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { dueWork } from '../../store/generations/due.js';
import { recordFailures } from '../../store/generations/failures.js';
import type { SettledHours } from '../../store/generations/failures.js';
import { publish } from '../../store/publish/publish.js';
import { readHours } from '../../store/read/hours.js';
import { storeHour } from '../support/cell-rows.js';
import { seedGeneration } from '../support/generations.js';
import { freshDatabase } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';

const FROM_MS = Date.UTC(2026, 0, 1);
const at = (hour: number): number => FROM_MS + hour * 3_600_000;
/** When the n-th settlement ended. */
const run = (n: number): number => FROM_MS + 90 * 86_400_000 + n * 60_000;

let database: TestDatabase;
beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(() => database.close());

const cutHours = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await storeHour(database, at(i), DEFAULT_RULE_SET);
};

const ended = (n: number, failed: readonly number[], more: Partial<SettledHours> = {}) =>
  recordFailures(database.pool, {
    failed: failed.map((hour) => ({ hourMs: at(hour), error: `internal: run ${String(n)}` })),
    done: [],
    atMs: run(n),
    workflowId: 'settle',
    runId: `run-${String(n)}`,
    ...more,
  });

const failures = async () =>
  (await readHours(database.pool, null)).hours.map(({ failure }) => failure);

const due = async (hoursMax: number): Promise<readonly number[]> => {
  const { toRecompute } = await dueWork(database.pool, { lateAfterMs: 0, hoursMax });
  return toRecompute.map((ms) => (ms - FROM_MS) / 3_600_000);
};

/** An hour that serves. */
async function publishHour(hour: number): Promise<void> {
  const generation = await seedGeneration(database.pool, {
    hourMs: at(hour),
    ruleSet: DEFAULT_RULE_SET,
    cells: [['', 'ad', { 0: 1 }]],
  });
  const client = await database.pool.connect();
  try {
    await publish(client, {
      request: `publish ${String(hour)}`,
      kind: 'publish',
      hours: [{ hourMs: at(hour), generation, expectedRevision: 0, reconciliation: null }],
      actor: 'test',
      reason: 'test',
      automatic: false,
    });
  } finally {
    client.release();
  }
}

async function late(hour: number): Promise<void> {
  await database.pool.query(`insert into late_clicks values ($1, 1, 7, 0, 'ad', '{}')`, [
    new Date(at(hour)),
  ]);
}

test('a failure is counted once a settlement, however often the activity is tried', async () => {
  await cutHours(2);
  await ended(1, [0]);
  await ended(1, [0]);
  const once = { sinceMs: run(1), lastMs: run(1), times: 1, error: 'internal: run 1' };
  expect(await failures()).toEqual([{ ...once, workflowId: 'settle', runId: 'run-1' }, null]);
  await ended(2, [0, 1]);
  // An attempt of the first that was thought lost.
  await ended(1, [0]);
  expect(await failures()).toMatchObject([
    { sinceMs: run(1), lastMs: run(2), times: 2, error: 'internal: run 2', runId: 'run-2' },
    { sinceMs: run(2), lastMs: run(2), times: 1 },
  ]);
});

test('an hour that came through has no failure; one that fails later starts anew', async () => {
  await cutHours(2);
  await ended(1, [0, 1]);
  await ended(2, [1], { done: [at(0)] });
  expect(await failures()).toMatchObject([null, { times: 2 }]);
  await ended(3, [0, 1]);
  await ended(2, [], { done: [at(0)] });
  expect(await failures()).toMatchObject([{ times: 1, sinceMs: run(3) }, { times: 3 }]);
});

test('what somebody else made final has not failed, until late clicks of it do', async () => {
  await cutHours(1);
  await ended(1, [0]);
  await publishHour(0);
  expect(await failures()).toEqual([null]);
  await late(0);
  expect(await failures()).toMatchObject([{ times: 1 }]);
  await ended(2, [0]);
  expect(await failures()).toMatchObject([{ times: 2 }]);
  await database.pool.query('delete from late_clicks');
  await ended(3, [0]);
  const left = await database.pool.query('select from hour_failures');
  expect(left.rowCount).toBe(0);
});

test('an hour that a person holds is nobody’s failure', async () => {
  await cutHours(1);
  await publishHour(0);
  await late(0);
  await ended(1, [0]);
  await database.pool.query(
    `insert into hour_holds (hour, publication, reason) values ($1, 1, 'rolled back')`,
    [new Date(at(0))],
  );
  expect(await failures()).toEqual([null]);
});

test('49 hours that fail for ever do not keep out a good one that is later than all', async () => {
  await cutHours(50);
  const all = Array.from({ length: 50 }, (_, i) => i);
  expect(await due(48)).toEqual(all.slice(0, 48));
  await ended(1, all.slice(0, 49));
  expect(await due(48)).toEqual([49, ...all.slice(0, 47)]);
});

test('hours that fail take turns: the least recently failed first, then the oldest', async () => {
  await cutHours(5);
  await ended(1, [0, 3]);
  await ended(2, [4, 1]);
  expect(await due(10)).toEqual([2, 0, 3, 1, 4]);
  const seen = new Set<number>();
  for (let n = 3; n < 6; n++) {
    const taken = await due(2);
    taken.forEach((hour) => seen.add(hour));
    await ended(n, taken);
  }
  expect([...seen].sort()).toEqual([0, 1, 2, 3, 4]);
});
