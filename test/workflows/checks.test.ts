import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TruecountError } from '../../core/errors.js';
import { isSafeText } from '../../core/text.js';
import {
  checkApprove,
  checkCut,
  checkPublish,
  checkRecompute,
  checkReconcile,
  checkReject,
  checkReplay,
  checkSettle,
} from '../../workflows/checks.js';

const HOUR = '2025-11-21T10';
const HASH = 'a'.repeat(64);
const PUBLISH = {
  hours: [{ hour: HOUR, generation: 5, expectedRevision: 0, reconciliation: 3, examinedBy: 7 }],
  kind: 'confirm',
  actor: 'ada',
  reason: 'why',
  automatic: true,
};
const REPLAY = {
  ...{ from: HOUR, to: '2025-11-21T12', rules: HASH, reason: 'why', actor: 'ada' },
  ...{ needsApproval: true, approvalTimeoutMs: 5_000, parallel: 3 },
};

/** Every check with an input that says everything that can be said. */
const CHECKS: readonly (readonly [string, (input: unknown) => unknown, object])[] = [
  ['cutHour', checkCut, { hour: HOUR, early: true }],
  [
    'recomputeHour',
    checkRecompute,
    { hour: HOUR, cut: 'late', rules: HASH, reuse: true, archiveTimeoutMs: 5_000 },
  ],
  ['reconcileHour', checkReconcile, { hour: HOUR, generation: 5, against: 'live' }],
  ['publishRange', checkPublish, PUBLISH],
  ['replayRange', checkReplay, REPLAY],
  ['settleDueHours', checkSettle, { from: HOUR, to: '2025-11-21T12' }],
  ['approve', checkApprove, { hash: HASH, actor: 'ada' }],
  ['reject', checkReject, { actor: 'ada', reason: 'not like that' }],
];

type Path = readonly (string | number)[];

/** The ways to every value within a value, itself included. */
function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? value.map((one, i) => [i, one])
    : Object.entries(value);
  return [path, ...entries.flatMap(([key, one]) => pathsOf(one, [...path, key]))];
}

function replaced(value: unknown, [first, ...rest]: Path, by: unknown): unknown {
  if (first === undefined) return by;
  const copy = structuredClone(value) as Record<string | number, unknown>;
  copy[first] = replaced(copy[first], rest, by);
  return copy;
}

/** What people and programs get wrong, and whatever else is JSON. */
const anyJson = fc.oneof(
  fc.constantFrom<unknown>(null, 0, -1, 1.5, 1e300, '', 'x', true, [], {}, [null], [[null]]),
  fc.constantFrom<unknown>({ toString: 1 }, { hour: null }, 'a\u0000b', '\ud800', 'x'.repeat(999)),
  fc.constantFrom<unknown>('0000-01-01T00', '9999-12-31T23', '9999-12-31T23:00:00-23:00'),
  fc.jsonValue({ maxDepth: 4 }),
  fc.string({ unit: 'binary' }),
);

/** What comes of a check: its result, or the code of its refusal. Anything else is thrown on. */
function verdictOf(check: (input: unknown) => unknown, input: unknown): unknown {
  try {
    return check(input);
  } catch (error) {
    if (!(error instanceof TruecountError)) throw error;
    expect(['invalid_argument', 'invalid_range']).toContain(error.code);
    return error;
  }
}

/** The words of a checked input that end in the ledger. */
function wordsOf(result: unknown): unknown[] {
  const { actor, reason } = result as { actor?: unknown; reason?: unknown };
  return [actor, reason].filter((word) => word !== undefined);
}

describe.each(CHECKS)('the input of %s', (_name, check, valid) => {
  it('is taken, and in its one form is taken again as it is', () => {
    const once = check(valid);
    // A replay's hours are worked out of its range, and no member that may be given.
    const again = valid === REPLAY ? { ...(once as object), hours: undefined } : once;
    expect(check(JSON.parse(JSON.stringify(again)))).toEqual(once);
  });

  it('with a member that nobody knows is refused: it was meant to say something', () => {
    for (const name of ['needs_approval', '__proto__', 'x'.repeat(999)]) {
      const odd = JSON.parse(JSON.stringify({ ...valid, odd: 1 }).replace('odd', name)) as unknown;
      expect(verdictOf(check, odd)).toMatchObject({
        code: 'invalid_argument',
        message: expect.stringContaining('unknown member') as string,
      });
    }
  });

  it('of any JSON is taken or refused, and nothing else is thrown', () => {
    fc.assert(
      fc.property(anyJson, (input) => void verdictOf(check, input)),
      { numRuns: 300 },
    );
    verdictOf(check, undefined);
  });

  it('with any JSON in any place is taken or refused; what is taken can be stored', () => {
    const path = fc.constantFrom(...pathsOf(valid));
    const property = fc.property(path, anyJson, (at, by) => {
      const result = verdictOf(check, replaced(valid, at, by));
      if (result instanceof TruecountError) return;
      for (const word of wordsOf(result)) {
        expect(typeof word === 'string' && word !== '' && isSafeText(word)).toBe(true);
      }
      for (const [, time] of JSON.stringify(result).matchAll(/"([^"]*T\d\d:00:00Z)"/g)) {
        expect(time).toMatch(/^(?!0000)\d{4}-\d\d-\d\dT/);
      }
    });
    fc.assert(property, { numRuns: 1_000 });
  });

  it('is no list, and not nothing', () => {
    for (const input of [[valid], 'text', 7, true]) {
      expect(verdictOf(check, input)).toMatchObject({ code: 'invalid_argument' });
    }
  });
});

describe('a wrong type', () => {
  it.each<[string, (input: unknown) => unknown, unknown, string]>([
    ['an hour that is null', checkPublish, { ...PUBLISH, hours: [null] }, 'hours[0] is no JSON'],
    ['hours that are a word', checkPublish, { ...PUBLISH, hours: 'all' }, 'hours must name'],
    [
      'a reconciliation in words',
      checkPublish,
      { ...PUBLISH, hours: [{ ...PUBLISH.hours[0], reconciliation: 'see mail' }] },
      'hours[0].reconciliation is no whole number',
    ],
    [
      'examinedBy in words',
      checkPublish,
      { ...PUBLISH, hours: [{ ...PUBLISH.hours[0], examinedBy: 'q' }] },
      'hours[0].examinedBy is no whole number',
    ],
    ['a reason that is a number', checkReplay, { ...REPLAY, reason: 5 }, 'reason is no text'],
    ['an actor that is an object', checkReplay, { ...REPLAY, actor: {} }, 'actor is no text'],
    ['a NUL in the reason', checkReplay, { ...REPLAY, reason: 'a\u0000b' }, 'control characters'],
    ['half a character', checkApprove, { hash: HASH, actor: '\udc00' }, 'half a character'],
    ['a word for a flag', checkCut, { hour: HOUR, early: 'no' }, 'neither true nor false'],
    ['another cut', checkRecompute, { hour: HOUR, cut: 'later' }, 'cut is none of'],
  ])('is refused with its name: %s', (_what, check, input, words) => {
    expect(() => check(input)).toThrow(words);
  });

  it('is not a null for what may be left out', () => {
    const hour = { hour: HOUR, generation: 5, expectedRevision: 0 };
    const nulls = { reconciliation: null, examinedBy: null };
    expect(checkPublish({ ...PUBLISH, hours: [{ ...hour, ...nulls }] }).hours).toEqual([
      { ...hour, hour: '2025-11-21T10:00:00Z' },
    ]);
    expect(checkReconcile({ hour: HOUR, generation: 1, against: null })).not.toHaveProperty(
      'against',
    );
    expect(checkSettle({ from: null, to: null })).toEqual({});
    expect(checkReject(null)).toEqual({ actor: 'unknown', reason: 'no reason given' });
  });
});
