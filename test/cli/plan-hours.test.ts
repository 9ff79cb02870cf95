import { describe, expect, it } from 'vitest';
import { columns, styleFor } from '../../cli/output.js';
import {
  publishHours,
  publishInputs,
  recomputeHours,
  reconcileHours,
  replayHours,
  rollbackHours,
  type PlanFacts,
} from '../../cli/plan-hours.js';
import { planText } from '../../cli/plan-text.js';
import { replayText } from '../../cli/verbs/replay.js';
import { planOf } from '../../core/range-plan.js';
import { HOUR_MS } from '../../core/time.js';
import type { HourStanding } from '../../store/generations/hours.js';
import type { Candidate } from '../../store/read/range-plan.js';

const FIRST_MS = Date.UTC(2025, 10, 21, 10);
const CUT = [{ topic: 'clicks', partition: 0, nextOffset: 9 }];

function standing(hour: number, more: Partial<HourStanding> = {}): HourStanding {
  return {
    ...{ hourMs: FIRST_MS + hour * HOUR_MS, pin: 'pin', cut: null, revision: 0, served: null },
    ...{ held: false, latePending: 0, oldestLateMs: null, causes: [], losses: [] },
    ...more,
  };
}

const served = { id: 7, ruleSet: 'served', checksum: 'same', cut: CUT };
const final = { cut: CUT, revision: 2, served };

function facts(...standings: HourStanding[]): PlanFacts {
  return {
    range: { fromMs: FIRST_MS, toMs: FIRST_MS + standings.length * HOUR_MS },
    standings,
    volumes: new Map([[FIRST_MS, { files: 2, bytes: 2_048, rows: 30 }]]),
    versions: [{ version: 1, hash: 'active', sinceMs: null }],
  };
}

function compared(decision: string, base: number): NonNullable<Candidate['reconciliation']> {
  return { id: 5, decision, cellsDiffer: 3, base };
}

function candidate(generation: number, more: Partial<Candidate> = {}): Candidate {
  return {
    ...{ hourMs: FIRST_MS, generation, ruleSet: 'new', checksum: 'other', collected: false },
    ...{ reconciliation: compared('publish', 7), revision: null },
    ...more,
  };
}

const stepsOf = (hours: readonly { steps: readonly string[]; note: string }[]) =>
  hours.map(({ steps, note }) => [steps.join(', '), note]);

describe('a replay', () => {
  it('cuts what is not cut, and takes late clicks in', () => {
    const hours = replayHours(
      facts(standing(0), standing(1, { cut: CUT }), standing(2, { ...final, latePending: 4 })),
      undefined,
    );
    expect(hours.map(({ state, ruleSet, steps }) => [state, ruleSet, steps[0]])).toEqual([
      ['live', 'pin', 'cut'],
      ['cut', 'pin', 'recompute'],
      ['final', 'served', 'recompute with the late clicks'],
    ]);
  });

  it('reads nothing for an hour that serves what it would make, unless by other rules', () => {
    const found = facts(standing(0, final));
    const [same] = replayHours(found, undefined);
    expect(same).toMatchObject({ generation: 7, steps: ['reconcile'], files: 0, rows: 0 });
    expect(same!.note).toContain('the lake is not read');
    const [other] = replayHours(found, 'other');
    expect(other).toMatchObject({ generation: null, steps: ['recompute', 'reconcile', 'publish'] });
    expect(other).toMatchObject({ files: 2, rows: 30 });
  });

  it('says how many hours were unchanged, also of results that do not count them', () => {
    const result = { publication: null, planHash: 'h', hours: 1, published: 0, confirmed: 0 };
    const said =
      '1 unchanged: the generation that serves has the same inputs, the lake was not read';
    expect(replayText({ ...result, held: 0, cellsDiffer: 0 }).split('\n')).toEqual([
      '1 hour: 0 published, 0 confirmed, 0 held, 1 unchanged; 0 cells differ',
      ...[said, 'nothing was published', 'plan h'],
    ]);
    expect(replayText({ ...result, held: 1, unchanged: 0, cellsDiffer: 2 })).not.toContain(said);
  });

  it('names the hours that were published with an alert, and those that are held', () => {
    const result = { publication: 9, planHash: 'h', hours: 8, published: 7, confirmed: 0 };
    const hours = Array.from({ length: 6 }, (_, i) => ({
      ...{ hour: `2026-11-21T1${String(i)}:00:00Z`, reason: 'too much', drift: 0.47 },
      cellsDiffer: 3,
    }));
    const told = { alerted: 7, alerts: hours, held: 1, holds: hours.slice(0, 1), cellsDiffer: 2 };
    const lines = replayText({ ...result, ...told }).split('\n');
    const alerts = lines.indexOf('7 published with an alert');
    expect(lines.slice(alerts + 5, alerts + 9)).toEqual([
      '  2026-11-21T14:00:00Z: too much',
      '  and 2 more: truecount hours',
      '1 held for a person',
      '  2026-11-21T10:00:00Z: too much',
    ]);
    expect(replayText({ ...result, held: 1, cellsDiffer: 2 })).not.toContain('alert');
  });

  it('includes hours into which nothing was counted, by the rule set asked for', () => {
    const found = facts(standing(0), standing(1));
    const hours = replayHours({ ...found, standings: [] }, 'asked');
    expect(hours.map(({ state, ruleSet }) => [state, ruleSet])).toEqual([
      ['empty', 'asked'],
      ['empty', 'asked'],
    ]);
  });
});

it('a recompute leaves out hours that are not cut, and says so', () => {
  const hours = recomputeHours(facts(standing(0), standing(1, { cut: CUT })), undefined, 'late');
  expect(stepsOf(hours)).toEqual([
    ['', 'not cut: truecount cut, or replay'],
    ['recompute with the late clicks', ''],
  ]);
  expect(hours[0]).toMatchObject({ files: 0, rows: 0 });
});

it('a reconciliation needs a generation', () => {
  const all = facts(standing(0, final), standing(1));
  const hours = reconcileHours(all, [candidate(8, { ruleSet: 'served' })], undefined);
  expect(stepsOf(hours)).toEqual([
    ['compare with what serves', ''],
    ['', 'no generation: truecount recompute'],
  ]);
});

it('a reconciliation takes a generation by other rules only where they are asked for', () => {
  const all = facts(standing(0, final));
  const [other, own] = [candidate(9, { ruleSet: 'other' }), candidate(8, { ruleSet: 'served' })];
  const generations = (rules?: string, found = [other, own]): unknown[] =>
    reconcileHours(all, found, rules).map(({ generation, note }) => [generation, note]);
  expect(generations()).toEqual([[8, '']]);
  expect(generations('other')).toEqual([[9, '']]);
  expect(generations(undefined, [other])).toEqual([
    [null, 'counted by other rules only: --rules other'],
  ]);
});

const SAME = { checksum: 'same', ruleSet: 'served' };

describe('a publication', () => {
  it.each([
    [[], {}, '', 'nothing compared: truecount reconcile'],
    [[candidate(7)], final, '', 'serves already'],
    [[candidate(8, { collected: true })], final, '', 'collected: truecount recompute'],
    [[candidate(8, SAME)], final, '', 'the same cells by the same rules as what serves'],
    [[candidate(8, { checksum: 'same' })], final, 'publish', '3 cells differ'],
    [[candidate(8)], final, 'publish', '3 cells differ'],
  ])('%#: of %j over %j does %j', (candidates, more, steps, note) => {
    const { hours, refused } = publishHours(facts(standing(0, more)), candidates, false);
    expect(stepsOf(hours)).toEqual([[steps, note]]);
    expect(refused).toEqual([]);
  });

  it('refuses hours that are held or put on hold, unless it releases them', () => {
    const onHold = candidate(8, { reconciliation: compared('hold', 7) });
    for (const [hour, one] of [
      [standing(0, { ...final, held: true }), candidate(8)],
      [standing(0, final), onHold],
    ] as const) {
      expect(publishHours(facts(hour), [one], false).refused).toEqual(['2025-11-21T10:00:00Z']);
      const released = publishHours(facts(hour), [one], true);
      expect(released.refused).toEqual([]);
      expect(released.hours[0]!.steps).toEqual(['publish and release']);
    }
  });

  it('is overtaken where somebody published since the comparison', () => {
    const candidates = [candidate(8, { reconciliation: compared('publish', 6) })];
    const { hours, overtaken } = publishHours(facts(standing(0, final)), candidates, true);
    expect(overtaken).toEqual(['2025-11-21T10:00:00Z']);
    expect(hours[0]!.note).toBe('compared with what serves no more: truecount reconcile');
  });

  it('expects the revision that was planned with, and names the comparison', () => {
    const candidates = [candidate(8)];
    const { hours } = publishHours(facts(standing(0, final), standing(1)), candidates, false);
    expect(publishInputs(hours, candidates)).toEqual([
      { hour: '2025-11-21T10:00:00Z', generation: 8, expectedRevision: 2, reconciliation: 5 },
    ]);
  });
});

it('a rollback needs an earlier revision whose cells are there', () => {
  const of = (more: Partial<Candidate>[], toRevision?: number) =>
    stepsOf(
      rollbackHours(
        facts(standing(0, final)),
        more.map((one) => candidate(6, { revision: 1, reconciliation: null, ...one })),
        toRevision,
      ),
    );
  expect(of([{}])).toEqual([['roll back to revision 1, hold', '']]);
  expect(of([])).toEqual([['', 'no revision from before what serves: --to-revision']]);
  expect(of([], 9)).toEqual([['', 'no revision 9']]);
  expect(of([{ collected: true }])).toEqual([['', 'collected: recompute with its rule set']]);
  expect(of([{ generation: 7 }])).toEqual([['', 'serves already']]);
});

describe('a plan as text', () => {
  const style = styleFor({});
  const range = { verb: 'replay', from: '2025-11-21T10:00:00Z', to: '2025-11-21T12:00:00Z' };

  it('shows hours, files, bytes, rows, the expected time and the hash', () => {
    const hours = replayHours(facts(standing(0), standing(1, { cut: CUT })), undefined);
    const plan = planOf(range, hours, 10);
    const lines = planText(plan, style).split('\n');
    expect(lines[1]).toMatch(/10:00:00Z +live +0 +pin +0 +2 +2.00 KiB +30 +cut, recompute/);
    expect(lines.slice(-3)).toEqual([
      '2 of 2 hours: 2 files, 2.00 KiB, 30 rows in the lake now',
      'expected time: about 3 s, at the pace of the last recomputes',
      `plan ${plan.hash}`,
    ]);
  });

  it('says why nothing is done', () => {
    const hours = reconcileHours(facts(standing(0)), [], undefined);
    const text = planText(planOf(range, hours, null), style);
    expect(text).toContain('nothing (no generation: truecount recompute)');
    expect(text).toContain(columns([['0 of 1 hours']]));
  });
});
