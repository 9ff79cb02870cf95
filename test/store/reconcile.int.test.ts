import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Cut } from '../../core/cut.js';
import { TruecountError } from '../../core/errors.js';
import type { ReconcilePolicy } from '../../core/reconcile.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { publish } from '../../store/publish/publish.js';
import { reconcileHour } from '../../store/reconcile/reconcile.js';
import type { ReconcileOutcome } from '../../store/reconcile/reconcile.js';
import { openSession } from '../../store/session.js';
import { CountedHour, cutAt } from '../support/counted-hour.js';
import type { LoggedClick } from '../support/counted-hour.js';
import { freshDatabase } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';

const HOUR_MS = Date.UTC(2026, 0, 1);
const HOUR = new Date(HOUR_MS);
const RULES: RuleSet = {
  version: 1,
  dimensions: [
    { name: 'country', field: 'country' },
    { name: 'device', field: 'device' },
  ],
};
const MAPPED: RuleSet = {
  version: 1,
  dimensions: [
    { name: 'country', field: 'country', map: { UK: 'GB' } },
    { name: 'device', field: 'device' },
  ],
};
const CUT = cutAt(300, 300);
const READ = cutAt(500, 500);
const ALERT: ReconcilePolicy = { thresholdPpm: 1_000, overThreshold: 'alert' };
const COUNTRIES = ['US', 'UK', 'GB', 'DE'];
const DEVICES = ['phone', 'tv'];

/** 600 clicks of 20 ads: 40 of them late, some re-sent, below the cut and above it. */
function clicks(): LoggedClick[] {
  return Array.from({ length: 640 }, (_, i) => {
    const partition = i % 2;
    const offset = (i - partition) / 2;
    const again = offset % 10 === 9 ? offset - 3 : offset;
    return {
      partition,
      offset,
      adId: `ad-${String((again * 7 + partition) % 20)}`,
      eventId: `e-${String(partition)}-${String(again)}`,
      minute: again % 60,
      values: [COUNTRIES[again % 4]!, DEVICES[again % 2]!],
    };
  });
}

interface StoredCell {
  filter: string;
  ad_id: string;
  minute: number;
  base_count: string;
  new_count: string;
  cause: string;
}

describe('reconciling an hour', () => {
  let database: TestDatabase;
  let client: pg.Client;

  beforeEach(async () => {
    database = await freshDatabase();
    client = await openSession({
      connection: { connectionString: database.url },
      applicationName: 'test',
    });
  });
  afterEach(async () => {
    await client.end();
    await database.close();
  });

  const world = (more: Partial<Parameters<typeof CountedHour.write>[1]> = {}) =>
    CountedHour.write(database, {
      hourMs: HOUR_MS,
      pin: RULES,
      cut: CUT,
      readUpTo: READ,
      clicks: clicks(),
      ...more,
    });

  async function reconcile(
    generation: number,
    against: 'live' | 'served' = 'live',
    policy = ALERT,
  ): Promise<ReconcileOutcome> {
    return reconcileHour(client, { hourMs: HOUR_MS, generation, against, policy, madeBy: 'test' });
  }

  async function generationOf(hour: CountedHour, rules = RULES, cut: Cut = CUT): Promise<number> {
    return (await hour.load(client, rules, cut)).id;
  }

  async function cellsOf(id: number): Promise<StoredCell[]> {
    const { rows } = await database.pool.query<StoredCell>(
      `select filter, ad_id, minute, base_count, new_count, cause from reconciliation_cells
        where reconciliation = $1 order by ad_id, minute, filter`,
      [id],
    );
    return rows;
  }

  async function serve(generation: number, expectedRevision: number): Promise<void> {
    await publish(client, {
      request: `serve ${String(generation)} ${String(expectedRevision)}`,
      kind: 'publish',
      hours: [{ hourMs: HOUR_MS, generation, expectedRevision, reconciliation: null }],
      actor: 'test',
      reason: 'test',
      automatic: true,
    });
  }

  const sql = (text: string, values: unknown[] = []) => database.pool.query(text, values);

  async function errorOf(work: Promise<unknown>): Promise<TruecountError> {
    const error: unknown = await work.then(
      () => new Error('it did not fail'),
      (e: unknown) => e,
    );
    if (error instanceof TruecountError) return error;
    throw error;
  }

  test('at the cut and under the pinned rules no cell differs, and it is published', async () => {
    const hour = await world();
    const generation = await hour.load(client, RULES, CUT);
    const outcome = await reconcile(generation.id);
    expect(outcome).toMatchObject({
      cellsCompared: generation.cells,
      cellsDiffer: 0,
      causes: {},
      drift: 0,
      decision: 'publish',
      reason: 'no cell differs',
      revision: 0,
      unchanged: false,
    });
    expect(await cellsOf(outcome.id)).toEqual([]);
    expect(
      (await sql('select clicks_base, clicks_new, threshold from reconciliations')).rows,
    ).toEqual([
      {
        clicks_base: String(generation.clicks),
        clicks_new: String(generation.clicks),
        threshold: 0.001,
      },
    ]);
  });

  test('an ad whose clicks are in several partitions is summed over them', async () => {
    const spread = clicks().map((click) => ({ ...click, adId: 'ad' }));
    const hour = await world({ clicks: spread });
    expect((await reconcile(await generationOf(hour))).cellsDiffer).toBe(0);
    await sql(`update live_cells set counts[7] = counts[7] + 2 where filter = '' and slot = 2`);
    const outcome = await reconcile(await generationOf(hour));
    expect(await cellsOf(outcome.id)).toMatchObject([{ filter: '', minute: 6, cause: 'unknown' }]);
  });

  const target = `hour = $1 and ad_id = 'ad-4' and filter =`;
  test.each([
    [
      'a live cell altered',
      `update live_cells set counts[13] = counts[13] + 3 where ${target} 'country:US'`,
      ['country:US'],
      3,
    ],
    [
      'the total of a cell altered',
      `update live_cells set counts[13] = counts[13] - 1 where ${target} ''`,
      [''],
      -1,
    ],
    ['a live cell added', `INSERT`, ['device:fridge'], 1],
  ])('finds %s, and no cause for it', async (_, change, filters, by) => {
    const hour = await world();
    const text =
      change === 'INSERT'
        ? `insert into live_cells select $1, 'device:fridge', 'ad-4', 1,
             array_fill(0, array[12]) || 1 || array_fill(0, array[47])`
        : change;
    expect((await sql(text, [HOUR])).rowCount).toBe(1);
    const outcome = await reconcile(await generationOf(hour));
    const cells = await cellsOf(outcome.id);
    expect(cells.map((c) => [c.filter, c.ad_id, c.minute, c.cause])).toEqual(
      filters.map((filter) => [filter, 'ad-4', 12, 'unknown']),
    );
    expect(Number(cells[0]!.base_count) - Number(cells[0]!.new_count)).toBe(by);
    expect(outcome.causes).toEqual({ unknown: { cells: 1, clicks: Math.abs(by) } });
    expect(outcome.decision).toBe('publish_alert');
    const strict = { ...ALERT, overThreshold: 'hold' } as const;
    const again = await reconcile(await generationOf(hour), 'live', strict);
    expect(again.decision).toBe('hold');
    expect(again.reason).toContain('without a known cause (I6)');
  });

  test('finds every cell of a live row that was removed', async () => {
    const hour = await world();
    const generation = await generationOf(hour);
    const { rows } = await sql(
      `delete from live_cells where ${target} 'device:phone' returning counts`,
      [HOUR],
    );
    const removed = (rows as { counts: number[] }[])[0]!.counts;
    const outcome = await reconcile(generation);
    expect((await cellsOf(outcome.id)).map((c) => [c.minute, Number(c.new_count)])).toEqual(
      removed.flatMap((n, minute) => (n === 0 ? [] : [[minute, n]])),
    );
    expect(Object.keys(outcome.causes)).toEqual(['unknown']);
  });

  test('late clicks explain what a higher cut adds, duplicates among them included', async () => {
    const hour = await world();
    await serve(await generationOf(hour), 0);
    const later = await hour.load(client, RULES, cutAt(320, 320));
    for (const against of ['live', 'served'] as const) {
      const outcome = await reconcile(later.id, against);
      expect(outcome.cellsDiffer).toBeGreaterThan(0);
      expect(Object.keys(outcome.causes)).toEqual(['late']);
      // 40 late clicks, 4 of them re-sent: 36 more, each in the total and two dimensions.
      expect(outcome.causes.late).toEqual({ cells: 108, clicks: 108 });
      expect(outcome.drift).toBeCloseTo(36 / later.clicks);
      expect(outcome.decision).toBe('publish_alert');
      expect(outcome.revision).toBe(1);
      expect(outcome.unchanged).toBe(false);
    }
  });

  test('a fault among late cells is still found: more than the late clicks explain', async () => {
    const hour = await world();
    const later = await hour.load(client, RULES, cutAt(320, 320));
    const late = await cellsOf((await reconcile(later.id)).id);
    const { ad_id: adId, minute } = late.find((c) => c.filter.startsWith('device:'))!;
    const { filter } = late.find(
      (c) => c.ad_id === adId && c.minute === minute && c.filter.startsWith('device:'),
    )!;
    await sql(
      `insert into live_cells values ($1, $2, $3, 9, array_fill(0, array[60]))
       on conflict do nothing`,
      [HOUR, filter, adId],
    );
    await sql(
      `update live_cells set counts[$4::int] = counts[$4::int] - 1
        where hour = $1 and filter = $2 and ad_id = $3 and slot = 9`,
      [HOUR, filter, adId, minute + 1],
    );
    const after = await cellsOf((await reconcile(later.id)).id);
    expect(after.filter((c) => c.cause !== 'late')).toMatchObject([
      { filter, ad_id: adId, minute, cause: 'unknown' },
    ]);
    expect(after).toHaveLength(late.length);
  });

  test('re-sent late clicks change no cell: the served generation is to be confirmed', async () => {
    const all = clicks();
    const resent = all.slice(0, 10).map((click, i) => ({ ...click, offset: 400 + i }));
    const below = all.filter((click) => click.offset < 300);
    const hour = await world({ clicks: [...below, ...resent] });
    await serve(await generationOf(hour), 0);
    const later = await generationOf(hour, RULES, cutAt(450, 450));
    expect(await reconcile(later, 'served')).toMatchObject({
      cellsDiffer: 0,
      decision: 'publish',
      unchanged: true,
      revision: 1,
    });
  });

  test('a changed mapping moves exactly the values that it maps', async () => {
    const hour = await world();
    const mapped = await generationOf(hour, MAPPED);
    await serve(await generationOf(hour), 0);
    for (const against of ['live', 'served'] as const) {
      const outcome = await reconcile(mapped, against);
      expect(Object.keys(outcome.causes)).toEqual(['rule_version']);
      const cells = await cellsOf(outcome.id);
      expect(new Set(cells.map((c) => c.filter))).toEqual(new Set(['country:UK', 'country:GB']));
      const moved = cells
        .filter((c) => c.filter === 'country:UK')
        .reduce((sum, c) => sum + Number(c.base_count), 0);
      expect(moved).toBeGreaterThan(10);
      const { rows } = await sql('select max(clicks_new)::int as n from reconciliations');
      expect(outcome.drift).toBe(moved / (rows as { n: number }[])[0]!.n);
      expect(outcome.decision).toBe('publish_alert');
    }
  });

  test('a changed mapping does not excuse a value that it does not map', async () => {
    const hour = await world();
    await sql(`update live_cells set counts[13] = counts[13] + 3 where ${target} 'country:US'`, [
      HOUR,
    ]);
    const outcome = await reconcile(await generationOf(hour, MAPPED));
    expect(outcome.causes.unknown).toEqual({ cells: 1, clicks: 3 });
    const unknown = (await cellsOf(outcome.id)).filter((c) => c.cause === 'unknown');
    expect(unknown).toMatchObject([{ filter: 'country:US', ad_id: 'ad-4', minute: 12 }]);
  });

  test('a dimension that is new or dropped differs by the rule set alone', async () => {
    const hour = await world();
    const other: RuleSet = { version: 1, dimensions: [RULES.dimensions[0]!] };
    const outcome = await reconcile(await generationOf(hour, other));
    expect(Object.keys(outcome.causes)).toEqual(['rule_version']);
    await serve(await generationOf(hour, other), 0);
    const back = await reconcile(await generationOf(hour), 'served');
    expect(Object.keys(back.causes)).toEqual(['rule_version']);
    expect(back.cellsDiffer).toBe(outcome.cellsDiffer);
    expect(back.cellsCompared).toBe(outcome.cellsCompared);
  });

  /** A duplicate below the cut is counted live, as after its memory was given up. */
  async function recount(hour: CountedHour): Promise<LoggedClick> {
    const click = hour.clicks.find((c) => c.partition === 0 && c.offset === 9)!;
    const filters = ['', `country:${click.values[0]!}`, `device:${click.values[1]!}`];
    await sql(
      `update live_cells set counts[$4::int] = counts[$4::int] + 1
        where hour = $1 and ad_id = $2 and filter = any ($3) and slot = 1`,
      [HOUR, click.adId, filters, click.minute + 1],
    );
    await sql(
      `update minute_flow set counted[$2::int] = counted[$2::int] + 1,
                              duplicate[$2::int] = duplicate[$2::int] - 1
        where hour = $1 and slot = 1`,
      [HOUR, click.minute + 1],
    );
    return click;
  }

  test('duplicates counted after the memory was given up have that cause, and only with it', async () => {
    const hour = await world();
    const { adId, minute } = await recount(hour);
    const generation = await generationOf(hour);
    expect(Object.keys((await reconcile(generation)).causes)).toEqual(['unknown']);
    await sql(`insert into hour_causes values ($1, 1, 'dedupe_overflow', 'too many ids')`, [HOUR]);
    const outcome = await reconcile(generation);
    expect(outcome.causes).toEqual({ dedupe_overflow: { cells: 3, clicks: 3 } });
    expect(await cellsOf(outcome.id)).toMatchObject(
      Array.from({ length: 3 }, () => ({ ad_id: adId, minute, cause: 'dedupe_overflow' })),
    );
    // One of the re-sent clicks of another minute without duplicates: the cause does not reach it.
    await sql(`update live_cells set counts[1] = counts[1] + 1 where ${target} ''`, [HOUR]);
    const worse = await reconcile(generation);
    expect(worse.causes.unknown).toEqual({ cells: 1, clicks: 1 });
  });

  test('what the stream never read and the archive has is more, by stream_loss', async () => {
    const all = clicks();
    const lost = all.find((c) => c.partition === 1 && c.offset === 20)!;
    const hour = await world({ clicks: all.filter((c) => c !== lost) });
    // The archive has it: its flow, and the generation.
    await sql(
      'update archive_flow set received[$2::int] = received[$2::int] + 1 where hour = $1 and slot = 2',
      [HOUR, lost.minute + 1],
    );
    const truth = Object.assign(Object.create(hour) as CountedHour, { clicks: all });
    const generation = await generationOf(truth);
    const unexplained = await reconcile(generation);
    expect(unexplained.decision).toBe('hold');
    expect(unexplained.reason).toContain('(I3)');
    await sql(`insert into loss_intervals values (2, 20, 21, 'damage')`);
    const outcome = await reconcile(generation);
    expect(outcome.causes).toEqual({ stream_loss: { cells: 3, clicks: 3 } });
    expect(outcome.decision).not.toBe('hold');
  });

  test('what the archive never read holds the hour, whatever the policy', async () => {
    const all = clicks();
    const lost = all.find((c) => c.partition === 1 && c.offset === 20)!;
    const hour = await world();
    await sql(
      'update archive_flow set received[$2::int] = received[$2::int] - 1 where hour = $1 and slot = 2',
      [HOUR, lost.minute + 1],
    );
    const lake = Object.assign(Object.create(hour) as CountedHour, {
      clicks: all.filter((c) => c !== lost),
    });
    const generation = await generationOf(lake);
    const silent = await reconcile(generation);
    expect(silent).toMatchObject({
      decision: 'hold',
      causes: { unknown: { cells: 3, clicks: 3 } },
    });
    await sql(`insert into archive_losses values (2, 20, 21, 'retention')`);
    const outcome = await reconcile(generation);
    expect(outcome).toMatchObject({
      causes: { archive_loss: { cells: 3, clicks: 3 } },
      decision: 'hold',
      reason: '1 offsets below the cut were never archived',
    });
  });

  test('a loss above the cut holds nothing', async () => {
    const hour = await world();
    await sql(`insert into archive_losses values (2, 300, 310, 'retention')`);
    expect((await reconcile(await generationOf(hour))).decision).toBe('publish');
  });

  test('a loss that was found before any click of the hour can have been appended holds nothing', async () => {
    const hour = await world();
    const generation = await generationOf(hour);
    const noted = (minutesBefore: number) =>
      sql(`update archive_losses set noted_at = (select min(hour) from hours)
             - ${String(minutesBefore)} * interval '1 minute'`);
    await sql(`insert into archive_losses values (2, 0, 3, 'retention')`);
    await noted(11);
    expect((await reconcile(generation)).decision).toBe('publish');
    await noted(9);
    expect((await reconcile(generation)).decision).toBe('hold');
  });

  test('books of stream and archive that do not agree hold the hour (I3)', async () => {
    const hour = await world();
    const generation = await generationOf(hour);
    await sql(
      'update archive_flow set received[5] = received[5] + 1 where hour = $1 and slot = 1',
      [HOUR],
    );
    const outcome = await reconcile(generation);
    expect(outcome).toMatchObject({ cellsDiffer: 0, decision: 'hold' });
    expect(outcome.reason).toContain('t/0, minute 4');
    // An archive that has read further may well have more.
    await sql('update archive_progress set next_offset = next_offset + 1 where slot = 1');
    expect((await reconcile(generation)).decision).toBe('publish');
  });

  test('a generation at a cut below the one that serves is held', async () => {
    const hour = await world();
    await serve(await generationOf(hour, RULES, cutAt(320, 320)), 0);
    const outcome = await reconcile(await generationOf(hour), 'served');
    expect(outcome.decision).toBe('hold');
    expect(outcome.reason).toContain('cut of the generation is below');
  });

  test('twice is twice the same report', async () => {
    const hour = await world();
    const generation = await generationOf(hour, MAPPED);
    const first = await reconcile(generation);
    const second = await reconcile(generation);
    expect({ ...second, id: first.id }).toEqual(first);
    expect(await cellsOf(second.id)).toEqual(await cellsOf(first.id));
  });

  test('says why it cannot compare', async () => {
    const hour = await world();
    const generation = await generationOf(hour);
    expect((await errorOf(reconcile(generation, 'served'))).code).toBe('conflict');
    expect((await errorOf(reconcile(999))).code).toBe('not_found');
    await sql('update generations set collected_at = now()');
    expect((await errorOf(reconcile(generation))).code).toBe('collected');
    await sql(`update hours set state = 'open', cut_at = null`);
    expect((await errorOf(reconcile(generation))).code).toBe('conflict');
  });
});
