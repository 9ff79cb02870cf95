import { describe, expect, test } from 'vitest';
import { checkRequest, decideHour } from '../../core/publication.js';
import type { FoundHour, PublishRequest, WantedHour } from '../../core/publication.js';

const HOUR_MS = Date.UTC(2026, 0, 1);
const CUT = [{ topic: 't', partition: 0, nextOffset: 9 }];
const WANTED: WantedHour = {
  hourMs: HOUR_MS,
  generation: 5,
  expectedRevision: 1,
  reconciliation: 7,
};
const FOUND: FoundHour = {
  hourMs: HOUR_MS,
  revision: 1,
  served: 4,
  servedCut: [],
  held: false,
  hasServed: false,
  generation: {
    ...{ hourMs: HOUR_MS, ruleSet: 'r', inputsHash: 'i', checksum: 'c', cut: CUT },
    collected: false,
  },
  reconciliation: { hourMs: HOUR_MS, generation: 5 },
};
const REQUEST: PublishRequest = {
  request: 'a',
  kind: 'publish',
  hours: [WANTED],
  actor: 'ada',
  reason: 'why',
  automatic: false,
};

describe('a request', () => {
  test.each(['actor', 'reason', 'request'])('with a NUL in its %s is refused', (name) => {
    expect(checkRequest(REQUEST)).toEqual([WANTED]);
    expect(() => checkRequest({ ...REQUEST, [name]: 'a\u0000b' })).toThrow('control characters');
  });

  test.each([0, -1, 1.5, Number.NaN, 'see mail of Monday', {}])(
    'with the reconciliation %j is refused',
    (reconciliation) => {
      const hours = [{ ...WANTED, reconciliation: reconciliation as number }];
      expect(() => checkRequest({ ...REQUEST, hours })).toThrow('is no number of a reconciliation');
    },
  );
});

describe('a cut below that of what serves', () => {
  const found = { ...FOUND, servedCut: [{ ...CUT[0]!, nextOffset: 10 }] };
  const wanted = { ...WANTED, reconciliation: null };

  test('is never published: clicks that are counted would be counted no more', () => {
    for (const automatic of [true, false]) {
      expect(() => decideHour({ kind: 'publish', automatic }, wanted, found)).toThrow(
        'is below that of what serves',
      );
    }
  });

  test('is what a rollback may go back to', () => {
    const back = { ...found, hasServed: true };
    expect(decideHour({ kind: 'rollback', automatic: false }, wanted, back).revision).toBe(2);
  });
});

describe('a reconciliation', () => {
  const publish = { kind: 'publish', automatic: false } as const;
  const confirm = { kind: 'confirm', automatic: false } as const;

  test('of the hour and its generation goes into the ledger; none need be given', () => {
    expect(decideHour(publish, WANTED, FOUND).reconciliation).toBe(7);
    const none = decideHour(
      publish,
      { ...WANTED, reconciliation: null },
      { ...FOUND, reconciliation: null },
    );
    expect(none.reconciliation).toBeNull();
  });

  test.each<[string, FoundHour['reconciliation'], string]>([
    ['that is not there', null, 'not_found'],
    ['of another hour', { hourMs: HOUR_MS + 3_600_000, generation: 5 }, 'invalid_argument'],
    ['of another generation', { hourMs: HOUR_MS, generation: 6 }, 'invalid_argument'],
  ])('%s is refused', (_what, reconciliation, code) => {
    expect(() => decideHour(publish, WANTED, { ...FOUND, reconciliation })).toThrow(
      expect.objectContaining({ code, hint: expect.stringContaining('leave it out') as string }),
    );
  });

  test('of a confirmation is that of the generation which examined the hour', () => {
    const wanted = { ...WANTED, generation: 4, examined: CUT, examinedBy: 5 };
    expect(decideHour(confirm, wanted, FOUND).reconciliation).toBe(7);
    const other = { ...FOUND, reconciliation: { hourMs: HOUR_MS, generation: 4 } };
    expect(() => decideHour(confirm, wanted, other)).toThrow('not generation 5');
  });
});
