import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hashRuleSet } from '../../core/rules/rule-set.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { hourStates } from '../../store/generations/hours.js';
import { loadGeneration } from '../../store/generations/load.js';
import { examinedCut } from '../../store/publish/examined.js';
import { publish } from '../../store/publish/publish.js';
import { readAggregatedCount } from '../../store/read/aggregated-count.js';
import type { CountAnswer } from '../../store/read/aggregated-count.js';
import { reconcileHour } from '../../store/reconcile/reconcile.js';
import type { ReconcileOutcome } from '../../store/reconcile/reconcile.js';
import { openSession } from '../../store/session.js';
import { decide } from '../../workflows/decide.js';
import type { Decided } from '../../workflows/decide.js';
import { cellRows } from '../support/cell-rows.js';
import { CountedHour, cutAt } from '../support/counted-hour.js';
import type { LoggedClick } from '../support/counted-hour.js';
import { freshDatabase } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';

const HOUR_MS = Date.UTC(2026, 0, 1);
const HOUR = '2026-01-01T00:00:00Z';
const country = (map?: Record<string, string>): RuleSet => ({
  version: 1,
  dimensions: [{ name: 'country', field: 'country', ...(map === undefined ? {} : { map }) }],
});
const RULES = country();
const MAPPED = country({ UK: 'GB' });
const CUT = cutAt(100, 100);
const READ = cutAt(200, 200);

function click(offset: number, value: string): LoggedClick {
  const eventId = `e${String(offset)}`;
  return { partition: 0, offset, adId: 'ad', eventId, minute: 5, values: [value] };
}

/** What a settlement does with an hour, from the reconciliation to the publication. */
describe('what becomes of an hour that was looked at again', () => {
  let database: TestDatabase;
  let client: pg.Client;

  beforeEach(async () => {
    database = await freshDatabase();
    const connection = { connectionString: database.url };
    client = await openSession({ connection, applicationName: 'test' });
  });
  afterEach(async () => {
    await client.end();
    await database.close();
  });

  const world = (...clicks: LoggedClick[]): Promise<CountedHour> =>
    CountedHour.write(database, { hourMs: HOUR_MS, pin: RULES, cut: CUT, readUpTo: READ, clicks });

  async function serve(generation: number, expectedRevision: number): Promise<void> {
    await publish(client, {
      request: `serve ${String(generation)}`,
      kind: 'publish',
      hours: [{ hourMs: HOUR_MS, generation, expectedRevision, reconciliation: null }],
      actor: 'a test',
      reason: 'because',
      automatic: true,
    });
  }

  const reconcile = (generation: number): Promise<ReconcileOutcome> =>
    reconcileHour(client, {
      ...{ hourMs: HOUR_MS, generation, against: 'served', madeBy: 'a test' },
      policy: { thresholdPpm: 1_000, overThreshold: 'alert' },
    });

  function decided(generation: number, outcome: ReconcileOutcome, rules: RuleSet): Decided {
    const { id: reconciliation, cellsDiffer, drift, decision, reason } = outcome;
    const { revision, unchanged, served } = outcome;
    const report = { hour: HOUR, generation, reconciliation, cellsDiffer, drift, decision, reason };
    const ruleSet = hashRuleSet(rules);
    return decide([{ ...report, revision, unchanged, served, checksum: '', ruleSet }], false);
  }

  const count = (filter = ''): Promise<CountAnswer> =>
    readAggregatedCount(client, {
      ...{ adId: 'ad', filter, fromMs: HOUR_MS, toMs: HOUR_MS + 3_600_000 },
    });

  test('a late click that the archive lost stays pending: it is not confirmed away', async () => {
    const hour = await world(click(10, 'US'), click(150, 'US'));
    await serve((await hour.load(client, RULES, CUT)).id, 0);
    await database.pool.query(`insert into archive_losses values (1, 150, 151, 'damage')`);
    await database.pool.query(
      'update archive_flow set received[6] = received[6] - 1 where slot = 1',
    );
    // The lake has what it had at the first cut, and is asked for the second.
    const { draft, rows } = hour.draft(RULES, CUT);
    const late = { ...draft, inputs: { ...draft.inputs, cut: READ } };
    const again = await loadGeneration(client, late, cellRows(rows));
    const outcome = await reconcile(again.id);
    expect(outcome).toMatchObject({ unchanged: true, decision: 'hold' });
    expect(decided(again.id, outcome, RULES)).toEqual({ publish: [], confirm: [], held: [HOUR] });
    expect((await count()).latePending).toBe(1);
  });

  test('the same cells by other rules are a revision, and late clicks go by those rules', async () => {
    const hour = await world(click(10, 'US'));
    await serve((await hour.load(client, RULES, CUT)).id, 0);
    const mapped = await hour.load(client, MAPPED, CUT);
    const outcome = await reconcile(mapped.id);
    expect(outcome).toMatchObject({ cellsDiffer: 0, unchanged: false });
    const { publish: revisions } = decided(mapped.id, outcome, MAPPED);
    expect(revisions).toHaveLength(1);
    await serve(mapped.id, 1);
    const [standing] = await hourStates(client, [HOUR_MS]);
    expect(standing?.served?.ruleSet).toBe(hashRuleSet(MAPPED));
  });

  test('clicks that only change their country have moved, whatever the total says', async () => {
    const hour = await world(click(10, 'US'), click(11, 'UK'), click(12, 'UK'), click(13, 'DE'));
    await serve((await hour.load(client, RULES, CUT)).id, 0);
    const mapped = await hour.load(client, MAPPED, CUT);
    const outcome = await reconcileHour(client, {
      ...{ hourMs: HOUR_MS, generation: mapped.id, against: 'served', madeBy: 'a test' },
      policy: { thresholdPpm: 1_000, overThreshold: 'hold' },
    });
    expect(outcome).toMatchObject({ drift: 0.5, decision: 'hold' });
    expect(outcome.reason).toBe('50 % of the clicks moved, 0.1 % may');
    const { rows } = await database.pool.query(
      'select clicks_moved::int, revision from reconciliations',
    );
    expect(rows).toEqual([{ clicks_moved: 2, revision: 1 }]);
  });

  test('late clicks may add to any filter where other rules serve than those they came under', async () => {
    const hour = await world(click(10, 'US'), click(150, 'UK'));
    await serve((await hour.load(client, MAPPED, CUT)).id, 0);
    expect(await count('country:GB')).toMatchObject({ count: 0, latePending: 1 });
    await serve((await hour.load(client, MAPPED, READ)).id, 1);
    expect(await count('country:GB')).toMatchObject({ count: 1, latePending: 0 });
  });

  test('a generation with other cells, or by other rules, confirms nothing', async () => {
    const hour = await world(click(10, 'US'), click(150, 'DE'));
    const served = await hour.load(client, RULES, CUT);
    for (const other of [
      await hour.load(client, RULES, READ),
      await hour.load(client, MAPPED, CUT),
    ]) {
      await expect(examinedCut(client, served.id, other.id)).rejects.toMatchObject({
        code: 'invalid_argument',
      });
    }
    expect(await examinedCut(client, served.id, served.id)).toEqual(CUT);
  });

  test('one lost offset explains one altered cell, not one of every ad', async () => {
    const ads = Array.from({ length: 20 }, (_, i) => ({
      ...click(i, 'US'),
      adId: `ad-${String(i)}`,
    }));
    const again = ads.map((one, i) => ({ ...one, offset: 20 + i })); // re-sent: duplicates
    const hour = await world(...ads, ...again);
    const generation = await hour.load(client, RULES, CUT);
    await database.pool.query(`insert into loss_intervals values (1, 60, 61, 'gap')`);
    await database.pool.query('update live_cells set counts[6] = counts[6] - 1');
    const { causes } = await reconcileHour(client, {
      ...{ hourMs: HOUR_MS, generation: generation.id, against: 'live', madeBy: 'a test' },
      policy: { thresholdPpm: 1_000_000, overThreshold: 'alert' },
    });
    expect(causes).toEqual({
      stream_loss: { cells: 2, clicks: 2 },
      unknown: { cells: 38, clicks: 38 },
    });
  });

  test('a rollback goes back to what has served, and to nothing else', async () => {
    const hour = await world(click(10, 'US'), click(150, 'DE'));
    await serve((await hour.load(client, RULES, CUT)).id, 0);
    const never = await hour.load(client, RULES, READ);
    const wanted = { hourMs: HOUR_MS, generation: never.id, expectedRevision: 1 };
    const rollback = publish(client, {
      request: 'back',
      kind: 'rollback',
      hours: [{ ...wanted, reconciliation: null }],
      actor: 'a test',
      reason: 'because',
      automatic: false,
    });
    await expect(rollback).rejects.toMatchObject({ code: 'invalid_argument' });
    expect((await count()).revision).toBe(1);
  });
});
