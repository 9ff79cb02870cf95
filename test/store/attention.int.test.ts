import { afterEach, beforeEach, expect, test } from 'vitest';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { publish } from '../../store/publish/publish.js';
import { readAttention } from '../../store/read/attention.js';
import { readHours } from '../../store/read/hours.js';
import { storeHour } from '../support/cell-rows.js';
import { seedGeneration } from '../support/generations.js';
import { freshDatabase } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';

const FROM_MS = Date.UTC(2026, 0, 1);
const at = (hour: number): number => FROM_MS + hour * 3_600_000;
const NOBODY = { waiting: 0, held: 0, alerted: 0 };
const DAY_MS = 86_400_000;

let database: TestDatabase;
beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(() => database.close());

const attention = (withinMs = DAY_MS) => readAttention(database.pool, Date.now() - withinMs);

const seed = (hour: number, count: number): Promise<number> =>
  seedGeneration(database.pool, {
    hourMs: at(hour),
    ruleSet: DEFAULT_RULE_SET,
    cut: [{ topic: 't', partition: 0, nextOffset: count }],
    cells: [['', 'ad', { 0: count }]],
  });

/** @returns its number */
async function reconciled(
  hour: number,
  generation: number,
  decision: string,
  more: { revision?: number; madeBy?: string } = {},
): Promise<number> {
  const { rows } = await database.pool.query<{ id: string }>(
    `insert into reconciliations (hour, generation, against, revision, clicks_base, clicks_new,
       clicks_moved, cells_compared, cells_differ, causes, drift, threshold, decision, reason, made_by)
     values ($1, $2, 'live', $3, 100, 100, 47, 9, 4, '{}', 0.47, 0.001, $4, $5, $6) returning id`,
    [
      new Date(at(hour)),
      generation,
      more.revision ?? 0,
      decision,
      `why ${decision}`,
      more.madeBy ?? 'settleDueHours settle/1',
    ],
  );
  return Number(rows[0]!.id);
}

async function serve(hour: number, generation: number, expectedRevision = 0): Promise<void> {
  const client = await database.pool.connect();
  try {
    await publish(client, {
      request: `publish ${String(hour)} ${String(generation)} ${String(expectedRevision)}`,
      kind: 'publish',
      hours: [{ hourMs: at(hour), generation, expectedRevision, reconciliation: null }],
      actor: 'test',
      reason: 'test',
      automatic: false,
    });
  } finally {
    client.release();
  }
}

const told = async (asOf?: number) =>
  (await readHours(database.pool, null, asOf)).hours.map(({ waiting, alert }) => ({
    waiting: waiting?.reason ?? null,
    alert: alert?.reason ?? null,
  }));

test('an hour that a settlement held waits for a person, until something is published', async () => {
  await storeHour(database, at(0), DEFAULT_RULE_SET);
  const generation = await seed(0, 3);
  expect(await attention()).toEqual(NOBODY);
  const reconciliation = await reconciled(0, generation, 'hold');
  expect(await attention()).toEqual({ ...NOBODY, waiting: 1 });
  const [hour] = (await readHours(database.pool, null)).hours;
  expect(hour).toMatchObject({
    waiting: { reconciliation, drift: 0.47, cellsDiffer: 4, reason: 'why hold' },
    alert: null,
  });
  expect(Math.abs(Date.now() - hour!.waiting!.atMs)).toBeLessThan(60_000);
  await serve(0, generation);
  expect(await attention()).toEqual(NOBODY);
  expect(await told()).toEqual([{ waiting: null, alert: null }]);
});

test('a newer decision of a settlement counts, and no comparison by hand', async () => {
  await storeHour(database, at(0), DEFAULT_RULE_SET);
  const generation = await seed(0, 3);
  await reconciled(0, generation, 'hold', { madeBy: 'reconcileHour by-hand' });
  expect(await told()).toEqual([{ waiting: null, alert: null }]);
  await reconciled(0, generation, 'hold');
  await reconciled(0, generation, 'publish', { madeBy: 'reconcileHour by-hand' });
  expect(await told()).toMatchObject([{ waiting: 'why hold' }]);
  await reconciled(0, generation, 'publish');
  expect(await attention()).toEqual(NOBODY);
});

test('a hold made at a revision that serves no more keeps nobody waiting, however late it came', async () => {
  await storeHour(database, at(0), DEFAULT_RULE_SET);
  const generation = await seed(0, 3);
  await serve(0, generation);
  await database.pool.query(`insert into late_clicks values ($1, 1, 7, 0, 'ad', '{}')`, [
    new Date(at(0)),
  ]);
  await reconciled(0, generation, 'hold', { revision: 0 });
  expect(await attention()).toEqual(NOBODY);
  await reconciled(0, generation, 'hold', { revision: 1 });
  expect(await attention()).toEqual({ ...NOBODY, waiting: 1 });
  await database.pool.query('delete from late_clicks');
  expect(await attention()).toEqual(NOBODY);
});

test('what was published with an alert says so, as long as it serves and under its as_of', async () => {
  await storeHour(database, at(0), DEFAULT_RULE_SET);
  const [first, second] = [await seed(0, 3), await seed(0, 4)];
  await reconciled(0, first, 'publish_alert');
  expect(await attention()).toEqual(NOBODY);
  await serve(0, first);
  expect(await attention()).toEqual({ ...NOBODY, alerted: 1 });
  expect(await attention(-DAY_MS)).toEqual(NOBODY);
  expect(await told()).toEqual([{ waiting: null, alert: 'why publish_alert' }]);
  await reconciled(0, second, 'publish', { revision: 1 });
  await serve(0, second, 1);
  expect(await attention()).toEqual(NOBODY);
  expect(await told()).toEqual([{ waiting: null, alert: null }]);
  expect(await told(1)).toEqual([{ waiting: null, alert: 'why publish_alert' }]);
});

test('an hour that somebody holds is counted as held, not as waiting', async () => {
  await storeHour(database, at(0), DEFAULT_RULE_SET);
  const generation = await seed(0, 3);
  await serve(0, generation);
  await reconciled(0, generation, 'hold', { revision: 1 });
  await database.pool.query(
    `insert into hour_holds (hour, publication, reason) values ($1, 1, 'rolled back')`,
    [new Date(at(0))],
  );
  expect(await attention()).toEqual({ ...NOBODY, held: 1 });
  expect(await told()).toEqual([{ waiting: null, alert: null }]);
});
