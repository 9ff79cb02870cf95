import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { paceOf, planHash, planOf, type PlannedHour } from '../../core/range-plan.js';

const HOUR: PlannedHour = {
  ...{ hour: '2025-11-21T10:00:00Z', state: 'final', revision: 1, held: false, latePending: 0 },
  ...{ ruleSet: 'a', generation: null, steps: ['recompute'], note: '' },
  ...{ files: 2, bytes: 100, rows: 50 },
};
const PLAN = { verb: 'replay', from: '2025-11-21T10:00:00Z', to: '2025-11-21T11:00:00Z' };
const hashOf = (more: Partial<PlannedHour>): string => planHash(PLAN, [{ ...HOUR, ...more }]);

describe('the hash of a plan', () => {
  it('stays while only sizes, notes and the number of late clicks change', () => {
    const sizes = { files: 9, bytes: 9, rows: 9, note: 'x' };
    expect(hashOf(sizes)).toBe(hashOf({}));
    expect(hashOf({ latePending: 1 })).toBe(hashOf({ latePending: 2 }));
  });

  it.each<Partial<PlannedHour>>([
    { hour: '2025-11-21T11:00:00Z' },
    { state: 'cut' },
    { revision: 2 },
    { held: true },
    { latePending: 1 },
    { ruleSet: 'b' },
    { generation: 3 },
    { steps: ['cut', 'recompute'] },
  ])('changes with %j', (more) => {
    expect(hashOf(more)).not.toBe(hashOf({}));
  });

  it('is another one for another verb or range', () => {
    expect(planHash({ ...PLAN, verb: 'recompute' }, [HOUR])).not.toBe(hashOf({}));
    expect(planHash({ ...PLAN, to: '2025-11-21T12:00:00Z' }, [HOUR])).not.toBe(hashOf({}));
  });
});

describe('the pace of past recomputes', () => {
  it('is rows by the time since the one before, in the middle of all', () => {
    const builds = [0, 1_000, 2_000, 10_000].map((builtAtMs) => ({ builtAtMs, rows: 5_000 }));
    expect(paceOf(builds)).toBe(5_000);
  });

  it('is not known from one, nor from two that were not made one after another', () => {
    expect(paceOf([])).toBeNull();
    expect(paceOf([{ builtAtMs: 1_763_000_000_000, rows: 5 }])).toBeNull();
    const apart = [0, 3_600_000].map((ms) => ({ builtAtMs: 1_763_000_000_000 + ms, rows: 5 }));
    expect(paceOf(apart)).toBeNull();
  });

  it('is that of even builds, in whatever order they are given', () => {
    const steady = fc.tuple(fc.integer({ min: 2, max: 20 }), fc.integer({ min: 1, max: 60_000 }));
    fc.assert(
      fc.property(
        steady,
        fc.integer({ min: 1, max: 1e7 }),
        fc.func(fc.nat()),
        ([n, gap], rows, order) => {
          const builds = Array.from({ length: n }, (_, i) => ({ builtAtMs: 1e12 + i * gap, rows }));
          builds.sort((a, b) => order(a) - order(b));
          expect(paceOf(builds)).toBeCloseTo((rows * 1_000) / gap, 6);
        },
      ),
    );
  });
});

describe('a plan', () => {
  it('adds up its hours and expects the time that the pace says', () => {
    const plan = planOf(PLAN, [HOUR, HOUR], 1_000);
    expect(plan).toMatchObject({ files: 4, bytes: 200, rows: 100, expectedMs: 100 });
  });

  it('expects nothing where the pace is not known or nothing is read', () => {
    expect(planOf(PLAN, [HOUR], null).expectedMs).toBeNull();
    expect(planOf(PLAN, [{ ...HOUR, rows: 0 }], 1_000).expectedMs).toBeNull();
  });
});
