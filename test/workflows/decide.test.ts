import { describe, expect, it } from 'vitest';
import {
  alertsOf,
  asksApproval,
  decide,
  holdsOf,
  planLines,
  planWords,
  replayCut,
  type ComparedHour,
} from '../../workflows/decide.js';

const HOUR = '2025-11-21T10:00:00Z';

function compared(over: Partial<ComparedHour> = {}): ComparedHour {
  return {
    hour: HOUR,
    reconciliation: 7,
    generation: 5,
    cellsDiffer: 3,
    drift: 0.01,
    decision: 'publish',
    reason: '',
    revision: 2,
    unchanged: false,
    served: 4,
    checksum: 'c',
    ruleSet: 'r',
    ...over,
  };
}

describe('decide', () => {
  it('publishes what changed, expecting the revision it was compared at', () => {
    expect(decide([compared()], false)).toEqual({
      publish: [{ hour: HOUR, generation: 5, expectedRevision: 2, reconciliation: 7 }],
      confirm: [],
      held: [],
    });
  });

  it('confirms what serves where another generation has the same cells', () => {
    const { publish, confirm } = decide([compared({ unchanged: true })], false);
    expect(publish).toEqual([]);
    expect(confirm).toEqual([
      { hour: HOUR, generation: 4, expectedRevision: 2, reconciliation: 7, examinedBy: 5 },
    ]);
  });

  it('has nothing to do for the very generation that serves', () => {
    const nothing = { publish: [], confirm: [], held: [] };
    expect(decide([compared({ unchanged: true, served: 5 })], true)).toEqual(nothing);
  });

  it('publishes a live hour although no cell differs: it becomes final', () => {
    const live = compared({ served: null, revision: 0, cellsDiffer: 0 });
    expect(decide([live], false).publish).toHaveLength(1);
  });

  it('does not confirm what is held: both may lack the same', () => {
    const held = compared({ decision: 'hold', unchanged: true });
    expect(decide([held], false)).toEqual({ publish: [], confirm: [], held: [HOUR] });
    expect(decide([held], true)).toEqual({ publish: [], confirm: [], held: [HOUR] });
  });

  it('leaves a held hour out unless a person has approved', () => {
    const held = compared({ decision: 'hold' });
    expect(decide([held], false)).toMatchObject({ publish: [], held: [HOUR] });
    expect(decide([held], true)).toMatchObject({ publish: [{ hour: HOUR }], held: [] });
  });
});

describe('what a result names', () => {
  const at = (n: number): string => `2025-11-21T1${String(n)}:00:00Z`;
  const alert = (n: number, drift: number): ComparedHour =>
    compared({ hour: at(n), drift, decision: 'publish_alert', reason: `why ${String(n)}` });

  it('are the hours that were published with an alert, what differs most first', () => {
    const hours = [alert(0, 0.1), compared({ hour: at(1) }), alert(2, 0.47), alert(3, 0.2)];
    const { publish } = decide(hours.slice(0, 3), false);
    expect(alertsOf(hours, publish)).toEqual([
      { hour: at(2), drift: 0.47, cellsDiffer: 3, reason: 'why 2' },
      { hour: at(0), drift: 0.1, cellsDiffer: 3, reason: 'why 0' },
    ]);
  });

  it('are the held hours, each with the reason of its comparison', () => {
    const hold = compared({ hour: at(1), decision: 'hold', reason: 'a loss' });
    const hours = [compared({ hour: at(0) }), hold];
    expect(holdsOf(hours, decide(hours, false).held)).toEqual([{ hour: at(1), reason: 'a loss' }]);
    expect(holdsOf(hours, decide(hours, true).held)).toEqual([]);
  });
});

describe('asksApproval', () => {
  it('asks before anything is published, on hold or not', () => {
    expect(asksApproval([compared()], true)).toBe(true);
    expect(asksApproval([compared({ decision: 'hold' })], true)).toBe(true);
    expect(asksApproval([compared()], false)).toBe(false);
  });

  it('asks nobody where all there is to do are confirmations, and so none on hold is made', () => {
    const held = compared({ decision: 'hold', unchanged: true });
    const approved = asksApproval([held, compared({ unchanged: true })], true);
    expect(approved).toBe(false);
    expect(decide([held], approved)).toEqual({ publish: [], confirm: [], held: [HOUR] });
  });
});

describe('planLines', () => {
  it('is the same whatever order the hours came in, and holds no numbers of rows', () => {
    const later = compared({ hour: '2025-11-21T11:00:00Z' });
    const lines = planLines([later, compared()]);
    expect(lines).toEqual(planLines([compared(), later]));
    expect(JSON.stringify(lines)).not.toMatch(/generation|reconciliation/);
  });

  it('is another one where policy decides otherwise: what is approved is that', () => {
    expect(planLines([compared({ decision: 'hold' })])).not.toEqual(planLines([compared()]));
  });
});

describe('planWords', () => {
  it('say how much would change, and name what policy holds or tells of, with the reason', () => {
    const later = '2025-11-21T11:00:00Z';
    const words = planWords([
      compared({ decision: 'hold', reason: '2 offsets were never archived' }),
      compared({ hour: later, decision: 'publish_alert', reason: '1 % moved', drift: 0.25 }),
      compared({ unchanged: true, cellsDiffer: 0 }),
    ]);
    expect(words.split('\n')).toEqual([
      "2 hours to publish, 1 to confirm; 6 cells differ, at most 25 % of an hour's clicks moved",
      `on hold: ${HOUR}: 2 offsets were never archived`,
      `with an alert: ${later}: 1 % moved`,
    ]);
  });

  it('name a few of many', () => {
    const held = Array.from({ length: 13 }, () => compared({ decision: 'hold', reason: 'r' }));
    expect(planWords(held).split('\n').at(-1)).toBe('on hold: 3 more');
  });
});

describe('replayCut', () => {
  it.each([
    [{ latePending: 1 }, 'late'],
    [{ latePending: 0 }, 'served'],
  ] as const)('of %j is %s', (facts, cut) => {
    expect(replayCut(facts)).toBe(cut);
  });
});
