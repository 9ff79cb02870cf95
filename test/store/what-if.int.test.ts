import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { MINUTE_MS } from '../../core/time.js';
import { publish } from '../../store/publish/publish.js';
import { inSnapshot } from '../../store/read/snapshot.js';
import {
  changingCells,
  type ComparedHour,
  type WouldChangeCell,
} from '../../store/read/what-if-cells.js';
import { whatWouldChange } from '../../store/read/what-if.js';
import { openSession } from '../../store/session.js';
import { CountedHour, cutAt } from '../support/counted-hour.js';
import type { LoggedClick } from '../support/counted-hour.js';
import { freshDatabase } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';

const HOUR_MS = Date.UTC(2026, 0, 1);
const COUNTRY = { name: 'country', field: 'country' };
const RULES: RuleSet = { version: 1, dimensions: [COUNTRY] };
const MAPPED: RuleSet = { version: 1, dimensions: [{ ...COUNTRY, map: { UK: 'GB' } }] };
const CUT = cutAt(30, 30);
const WITH_LATE = cutAt(40, 40);
const COUNTRIES = ['US', 'UK', 'GB'];
const ADS = 5;

/** 80 clicks; those from offset 30 on are late, one of them in a cell that the rules change. */
function clicks(): LoggedClick[] {
  return Array.from({ length: 80 }, (_, n) => {
    const partition = n % 2;
    const offset = (n - partition) / 2;
    const like = offset === 35 ? 1 : offset;
    const i = 2 * like + partition;
    return {
      ...{ partition, offset, eventId: `e-${String(n)}` },
      ...{ adId: `ad-${String(i % ADS)}`, minute: (like * 7) % 60 },
      values: [COUNTRIES[like % 3]!],
    };
  });
}

/** The same cells by hand: `filter ad minute` → clicks. */
function brute(below: number, countryOf: (country: string) => string): Map<string, number> {
  const cells = new Map<string, number>();
  for (const { adId, offset, minute, values } of clicks()) {
    if (offset >= below) continue;
    for (const filter of ['', `country:${countryOf(values[0]!)}`]) {
      const cell = `${filter} ${adId} ${String(minute).padStart(2, '0')}`;
      cells.set(cell, (cells.get(cell) ?? 0) + 1);
    }
  }
  return cells;
}

const asIs = (country: string): string => country;
const mapped = (country: string): string => (country === 'UK' ? 'GB' : country);

function compare(
  now: Map<string, number>,
  rules: Map<string, number>,
  late: Map<string, number>,
): (readonly [string, number, number, number])[] {
  return [...new Set([...now.keys(), ...rules.keys(), ...late.keys()])]
    .sort()
    .map((cell) => [cell, now.get(cell) ?? 0, rules.get(cell) ?? 0, late.get(cell) ?? 0] as const)
    .filter(([, before, byRules, after]) => before !== byRules || byRules !== after);
}

describe('what other rules would change', () => {
  let database: TestDatabase;
  let client: pg.Client;
  let hour: CountedHour;

  beforeEach(async () => {
    database = await freshDatabase();
    client = await openSession({
      connection: { connectionString: database.url },
      applicationName: 'test',
    });
    hour = await CountedHour.write(database, {
      ...{ hourMs: HOUR_MS, pin: RULES, cut: CUT, readUpTo: WITH_LATE, clicks: clicks() },
    });
  });
  afterEach(async () => {
    await client.end();
    await database.close();
  });

  async function cellsOf(...hours: ComparedHour[]) {
    return inSnapshot(database.pool, async (snapshot) => {
      const cells: WouldChangeCell[] = [];
      for await (const cell of changingCells(snapshot, hours)) cells.push(cell);
      return cells.map(({ adId, minuteMs, filter, before, byRules, after }) => {
        const minute = String((minuteMs - HOUR_MS) / MINUTE_MS).padStart(2, '0');
        return [`${filter} ${adId} ${minute}`, before, byRules, after] as const;
      });
    });
  }

  const generationOf = async (rules: RuleSet, cut = CUT): Promise<number> =>
    (await hour.load(client, rules, cut)).id;

  async function serve(generation: number): Promise<void> {
    const served = { hourMs: HOUR_MS, generation, expectedRevision: 0, reconciliation: null };
    await publish(client, {
      ...{ request: 'serve', kind: 'publish', hours: [served] },
      ...{ actor: 'test', reason: 'test', automatic: true },
    });
  }

  test('an hour that is counted live: each cell, in order, and as many as the sums say', async () => {
    const generation = await generationOf(MAPPED);
    const cells = await cellsOf({ hourMs: HOUR_MS, generation, withLate: null });
    const after = brute(30, mapped);
    expect(cells).toEqual(compare(brute(30, asIs), after, after));
    const sums = await whatWouldChange(database.pool, [{ hourMs: HOUR_MS, generation }], 1);
    expect(sums.cells).toBe(cells.length);
    expect(sums.filters).toHaveLength(1);
    expect(sums.ads).toHaveLength(1);
    expect(sums).toMatchObject({ filtersTotal: 2, adsTotal: 2 * ADS });
  });

  test('an hour that a generation serves, with late clicks: what is of the rules, what of them', async () => {
    await serve(await generationOf(RULES));
    const generation = await generationOf(MAPPED);
    const withLate = await generationOf(MAPPED, WITH_LATE);
    const cells = await cellsOf({ hourMs: HOUR_MS, generation, withLate });
    const [now, rules] = [brute(30, asIs), brute(30, mapped)];
    expect(cells).toEqual(compare(now, rules, brute(40, mapped)));
    for (const kind of [
      ([, before, byRules, after]: (typeof cells)[number]) =>
        before === byRules && byRules !== after,
      ([, before, byRules, after]: (typeof cells)[number]) =>
        before !== byRules && byRules === after,
      ([, before, byRules, after]: (typeof cells)[number]) =>
        before !== byRules && byRules !== after,
    ]) {
      expect(cells.some(kind)).toBe(true);
    }
  });

  test('rules that change nothing: no cell, of as many hours as there are', async () => {
    const generation = await generationOf(RULES);
    const same = { hourMs: HOUR_MS, generation, withLate: null };
    expect(await cellsOf(same, same)).toEqual([]);
    expect(await cellsOf()).toEqual([]);
  });

  test('more rows than are fetched at once', async () => {
    const generation = await generationOf(MAPPED);
    await database.pool.query(
      `insert into generation_cells
       select $1, 'more:' || i, 'ad-' || j, array[1, 0, 2]
         from generate_series(1, 250) i, generate_series(1, 10) j`,
      [generation],
    );
    const cells = await cellsOf({ hourMs: HOUR_MS, generation, withLate: null });
    const more = cells.filter(([cell]) => cell.startsWith('more:'));
    expect(more).toHaveLength(5_000);
    expect(new Set(more.map(([cell]) => cell)).size).toBe(5_000);
  });
});
