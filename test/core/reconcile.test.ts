import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { causesOf, ruleMoves } from '../../core/cell-causes.js';
import type { MinuteBounds, MovedCell } from '../../core/cell-causes.js';
import { decideReconciliation, minuteBounds } from '../../core/reconcile.js';
import type { DiffTotals, HourEvidence, ReconcilePolicy } from '../../core/reconcile.js';
import { Meaning } from '../../core/rules/meaning.js';
import type { RuleSet } from '../../core/rules/rule-set.js';

const rules = (map?: Record<string, string>): RuleSet => ({
  version: 1,
  dimensions: [
    { name: 'country', field: 'country', ...(map === undefined ? {} : { map }) },
    { name: 'device', field: 'device' },
  ],
});
const PLAIN = rules();
const MAPPED = rules({ UK: 'GB' });
const NO_BOUNDS: MinuteBounds = { unread: 0, unarchived: 0, recounted: 0, orphaned: 0 };

type Values = readonly [country: string, device: string];
const click = fc.tuple(
  fc.constantFrom('US', 'UK', 'GB', 'DE'),
  fc.constantFrom('phone', 'tv'),
) satisfies fc.Arbitrary<Values>;
const clicks = fc.array(click, { maxLength: 12 });

function filtersOf(values: Values, ruleSet: RuleSet): readonly string[] {
  const text = (name: string): string => values[name === 'country' ? 0 : 1];
  return new Meaning(ruleSet).judge((name) => ({ kind: 'value', text: text(name) })).filters;
}

/** Counts of one ad and minute, by filter. */
function count(of: readonly Values[], ruleSet: RuleSet): Map<string, number> {
  const counts = new Map<string, number>();
  for (const values of of) {
    for (const filter of filtersOf(values, ruleSet)) {
      counts.set(filter, (counts.get(filter) ?? 0) + 1);
    }
  }
  return counts;
}

function moved(
  base: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
  late: ReadonlyMap<string, number> = new Map(),
): MovedCell[] {
  return [...new Set([...base.keys(), ...now.keys()])].sort().flatMap((filter) => {
    const cell = { filter, base: base.get(filter) ?? 0, now: now.get(filter) ?? 0 };
    return cell.base === cell.now ? [] : [{ ...cell, late: late.get(filter) ?? 0 }];
  });
}

describe('causes of cells', () => {
  const same = ruleMoves(PLAIN, PLAIN, true);

  test('late clicks, any of them duplicates, explain all that they add', () => {
    fc.assert(
      fc.property(clicks, fc.array(fc.tuple(click, fc.boolean())), (before, late) => {
        const added = late.filter(([, again]) => !again).map(([values]) => values);
        const recorded = count(
          late.map(([values]) => values),
          PLAIN,
        );
        const cells = moved(count(before, PLAIN), count([...before, ...added], PLAIN), recorded);
        const causes = causesOf(cells, late.length, NO_BOUNDS, same);
        expect(causes).toEqual(cells.map(() => 'late'));
      }),
    );
  });

  test('a change of rules explains what it moves, with late clicks besides', () => {
    fc.assert(
      fc.property(clicks, clicks, (before, late) => {
        const now = count([...before, ...late], MAPPED);
        const cells = moved(count(before, PLAIN), now, count(late, PLAIN));
        const moves = ruleMoves(PLAIN, MAPPED, false);
        for (const cause of causesOf(cells, late.length, NO_BOUNDS, moves)) {
          expect(['late', 'rule_version']).toContain(cause);
        }
      }),
    );
  });

  test('duplicates counted live are dedupe_overflow, as many as the minute has', () => {
    fc.assert(
      fc.property(clicks, clicks, (before, again) => {
        const cells = moved(count([...before, ...again], PLAIN), count(before, PLAIN));
        const bounds = { ...NO_BOUNDS, recounted: again.length };
        expect(causesOf(cells, 0, bounds, same)).toEqual(cells.map(() => 'dedupe_overflow'));
        if (again.length === 0) return;
        const fewer = causesOf(cells, 0, { ...bounds, recounted: again.length - 1 }, same);
        expect(fewer[cells.findIndex(({ filter }) => filter === '')]).toBe('unknown');
      }),
    );
  });

  test('one altered cell is unknown, whatever moves beside it, and excuses nothing', () => {
    const alter = fc.record({
      filter: fc.constantFrom('', 'country:US', 'country:GB', 'device:tv', 'device:fridge'),
      by: fc.integer({ min: -5, max: 5 }).filter((n) => n !== 0),
    });
    fc.assert(
      fc.property(clicks, clicks, fc.boolean(), alter, (before, late, mapped, { filter, by }) => {
        const after = mapped ? MAPPED : PLAIN;
        const base = count(before, PLAIN);
        base.set(filter, (base.get(filter) ?? 0) + by);
        const cells = moved(base, count([...before, ...late], after), count(late, PLAIN));
        const unread = late.length + 5;
        const bounds = { unread, unarchived: unread, recounted: unread, orphaned: unread };
        const causes = causesOf(cells, late.length, bounds, ruleMoves(PLAIN, after, !mapped));
        const of = (name: string): (string | undefined)[] =>
          causes.filter((_, i) =>
            name === '' ? cells[i]!.filter === '' : cells[i]!.filter.startsWith(name),
          );
        // The altered dimension has no other cause; those that add up keep theirs.
        const name = filter === '' ? '' : `${filter.split(':')[0]!}:`;
        expect(new Set(of(name)).has('unknown') || of(name).length === 0).toBe(true);
        for (const other of ['', 'country:', 'device:']) {
          if (other !== name) expect(of(other)).not.toContain('unknown');
        }
      }),
    );
  });

  test('an altered cell that hides behind another change of its dimension is not excused', () => {
    // Late clicks add one to US; the altered cell makes DE differ by as much the other way.
    const cells = [
      { filter: '', base: 1, now: 2, late: 1 },
      { filter: 'country:US', base: 0, now: 1, late: 1 },
      { filter: 'country:DE', base: 1, now: 0, late: 0 },
      { filter: 'device:tv', base: 1, now: 2, late: 1 },
    ];
    expect(causesOf(cells, 1, NO_BOUNDS, same)).toEqual(['late', 'unknown', 'unknown', 'late']);
  });

  test('a mapping excuses only its own values, and only in its direction', () => {
    const moves = ruleMoves(PLAIN, MAPPED, true);
    const swap = (less: string, more: string): string[] =>
      causesOf(
        [
          { filter: `country:${less}`, base: 1, now: 0, late: 0 },
          { filter: `country:${more}`, base: 0, now: 1, late: 0 },
        ],
        0,
        NO_BOUNDS,
        moves,
      );
    expect(swap('UK', 'GB')).toEqual(['rule_version', 'rule_version']);
    expect(swap('GB', 'UK')).toEqual(['unknown', 'unknown']);
    expect(swap('US', 'DE')).toEqual(['unknown', 'unknown']);
  });

  test('a dimension that reads another field may move any value', () => {
    const other: RuleSet = { version: 1, dimensions: [{ name: 'country', field: 'geo' }] };
    const one: RuleSet = { version: 1, dimensions: [{ name: 'country', field: 'country' }] };
    const cells = [
      { filter: 'country:US', base: 4, now: 1, late: 0 },
      { filter: 'country:DE', base: 0, now: 3, late: 0 },
    ];
    const causes = causesOf(cells, 0, NO_BOUNDS, ruleMoves(one, other, true));
    expect(causes).toEqual(['rule_version', 'rule_version']);
  });

  test('two causes together explain what neither does alone', () => {
    const cells = [{ filter: '', base: 0, now: 5, late: 3 }];
    const none: RuleSet = { version: 1, dimensions: [] };
    const moves = ruleMoves(none, none, true);
    expect(causesOf(cells, 3, { ...NO_BOUNDS, unread: 2 }, moves)).toEqual(['late']);
    expect(causesOf(cells, 3, { ...NO_BOUNDS, unread: 1 }, moves)).toEqual(['unknown']);
  });
});

describe('the decision', () => {
  const minutes = (first = 0): number[] => [first, ...new Array<number>(59).fill(0)];
  const evidence = (more: Partial<HourEvidence> = {}): HourEvidence => ({
    against: 'live',
    coversBase: true,
    flow: {
      received: minutes(1_000),
      counted: minutes(990),
      duplicate: minutes(10),
      filtered: minutes(),
    },
    streamCounted: minutes(990),
    streamDuplicate: minutes(10),
    streamFiltered: minutes(),
    late: minutes(),
    memoryLost: false,
    streamLost: 0,
    archiveLost: 0,
    streamLostInDiff: 0,
    partitions: [
      {
        topic: 't',
        partition: 0,
        streamNext: 5_000,
        archiveNext: 5_000,
        stream: minutes(1_000),
        archive: minutes(1_000),
        lossy: false,
      },
    ],
    ...more,
  });
  const totals = (clicksMoved: number, causes: DiffTotals['causes'] = {}): DiffTotals => ({
    clicksMoved,
    clicksNew: 1_000_000,
    cellsDiffer: Object.values(causes).reduce((sum, { cells }) => sum + cells, 0),
    causes,
  });
  const alert: ReconcilePolicy = { thresholdPpm: 1_000, overThreshold: 'alert' };
  const hold: ReconcilePolicy = { thresholdPpm: 1_000, overThreshold: 'hold' };
  const late = (cells: number): DiffTotals['causes'] => ({ late: { cells, clicks: cells } });

  test.each([
    ['nothing differs', totals(0), 'publish', 'publish'],
    ['as much as is allowed moved', totals(1_000, late(3)), 'publish', 'publish'],
    ['one click more than is allowed moved', totals(1_001, late(3)), 'publish_alert', 'hold'],
    [
      'one cell has no cause, far below the threshold',
      totals(0, { unknown: { cells: 1, clicks: 1 } }),
      'publish_alert',
      'hold',
    ],
  ])('%s', (_, of, byAlert, byHold) => {
    expect(decideReconciliation(evidence(), of, alert).decision).toBe(byAlert);
    expect(decideReconciliation(evidence(), of, hold).decision).toBe(byHold);
  });

  const [books] = evidence().partitions;
  test.each<[string, Partial<HourEvidence>, string]>([
    ['the archive lost something below the cut', { archiveLost: 3 }, '3 offsets'],
    ['the cut is below the one that serves', { coversBase: false }, 'cut of the generation'],
    ['files lack a click', { streamCounted: minutes(1_001) }, '(I3)'],
    ['files have a click that nobody saw', { streamDuplicate: minutes(9) }, '(I3)'],
    [
      'more is missing than the stream lost',
      { streamCounted: minutes(980), streamLost: 9 },
      'lost no more than 9 (I3)',
    ],
    [
      'the archive is behind in clicks at the same offset',
      { partitions: [{ ...books!, archive: minutes(1_001) }] },
      't/0, minute 0',
    ],
    [
      'the archive is ahead and has less',
      { partitions: [{ ...books!, archiveNext: 6_000, stream: minutes(1_001) }] },
      't/0, minute 0',
    ],
    ['less was archived than the files hold', { partitions: [] }, 'only 0 were archived'],
  ])('holds whatever the policy says: %s', (_, more, why) => {
    const decided = decideReconciliation(evidence(more), totals(0), alert);
    expect(decided.decision).toBe('hold');
    expect(decided.reason).toContain(why);
  });

  test.each<[string, Partial<HourEvidence>]>([
    [
      'clicks that the stream lost',
      { streamCounted: minutes(980), streamLost: 10, streamLostInDiff: 10 },
    ],
    ['duplicates that the stream saw above the cut', { streamDuplicate: minutes(17) }],
    [
      'late clicks below the cut of the generation',
      { streamCounted: minutes(900), late: minutes(90) },
    ],
    [
      'an archive that has read on',
      { partitions: [{ ...books!, archiveNext: 6_000, archive: minutes(1_200) }] },
    ],
    [
      'a stream that has read on',
      { partitions: [{ ...books!, streamNext: 6_000, stream: minutes(1_200) }] },
    ],
    [
      'a partition with losses, whose books differ',
      { partitions: [{ ...books!, stream: minutes(7), lossy: true }] },
    ],
  ])('does not hold for %s', (_, more) => {
    expect(decideReconciliation(evidence(more), totals(0), alert).decision).toBe('publish');
  });

  test('bounds of causes come from the books of the minute', () => {
    expect(minuteBounds(evidence())[0]).toEqual(NO_BOUNDS);
    expect(minuteBounds(evidence({ memoryLost: true }))[0]).toEqual({
      ...NO_BOUNDS,
      recounted: 10,
    });
    expect(minuteBounds(evidence({ memoryLost: true, against: 'served' }))[0]).toEqual(NO_BOUNDS);
    const lost = { streamCounted: minutes(980), streamLost: 50, streamLostInDiff: 50 };
    expect(minuteBounds(evidence(lost))[0]).toEqual({ ...NO_BOUNDS, unread: 20, orphaned: 10 });
    const gone = { streamCounted: minutes(995), archiveLost: 4 };
    expect(minuteBounds(evidence(gone))[0]).toEqual({ ...NO_BOUNDS, unarchived: 4 });
  });
});
