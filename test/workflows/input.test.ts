import { describe, expect, it } from 'vitest';
import { progressAt, progressTable, noProgress } from '../../workflows/progress.js';
import { hourRange, hourText, ruleSetHash, wholeNumber } from '../../workflows/input.js';

describe('hourText', () => {
  it.each([
    ['2025-11-21T10', '2025-11-21T10:00:00Z'],
    ['2025-11-21T10:00:00Z', '2025-11-21T10:00:00Z'],
    ['2025-11-21T12:00:00+02:00', '2025-11-21T10:00:00Z'],
  ])('reads %s', (text, hour) => {
    expect(hourText('hour', text)).toBe(hour);
  });

  it.each([
    [undefined, 'hour is missing'],
    [10, 'hour is no text'],
    ['', 'hour is no time'],
    ['2025-11-21T10:30', 'not on a whole hour'],
  ])('refuses %j', (value, words) => {
    expect(() => hourText('hour', value)).toThrow(words);
  });
});

describe('hourRange', () => {
  it('is [from, to)', () => {
    expect(hourRange('2025-11-21T10', '2025-11-21T12', 5).hours).toEqual([
      '2025-11-21T10:00:00Z',
      '2025-11-21T11:00:00Z',
    ]);
  });

  it.each([
    ['2025-11-21T10', '2025-11-21T10', 'is not before'],
    ['2025-11-21T10', '2025-11-21T16', 'has 6 hours, and 5 are the most'],
  ])('refuses %s to %s', (from, to, words) => {
    expect(() => hourRange(from, to, 5)).toThrow(words);
  });
});

it('takes a hash of rules, or none', () => {
  expect(ruleSetHash(undefined)).toBeUndefined();
  expect(ruleSetHash('a'.repeat(64))).toBe('a'.repeat(64));
  expect(() => ruleSetHash('A'.repeat(64))).toThrow('no hash of a rule set');
});

it('takes a whole number within bounds', () => {
  expect(wholeNumber('n', undefined, { min: 1, max: 3, fallback: 2 })).toBe(2);
  expect(() => wholeNumber('n', undefined, { min: 1, max: 3 })).toThrow('n is no whole number');
  expect(() => wholeNumber('n', 1.5, { min: 1, max: 3 })).toThrow('1.5');
  expect(() => wholeNumber('n', 4, { min: 1, max: 3 })).toThrow('from 1 to 3');
});

describe('progress', () => {
  it('estimates by rows within an hour, by hours over a range', () => {
    const state = { ...noProgress(1), rowsDone: 250, rowsTotal: 1_000 };
    expect(progressAt(state, 1_000)).toMatchObject({ rate: 250, leftMs: 3_000 });
    const range = { ...noProgress(10), hoursDone: 5, rowsDone: 100 };
    expect(progressAt(range, 10_000)).toMatchObject({ rate: 10, leftMs: 10_000 });
    expect(progressAt(noProgress(10), 10_000)).toMatchObject({ rate: null, leftMs: null });
  });

  it('is a Markdown table', () => {
    const state = { ...noProgress(10), stage: 'recompute', hoursDone: 5, awaitsApproval: 'abc' };
    expect(progressTable(progressAt(state, 200_000)).split('\n')).toEqual([
      '| stage | hours | rows | rows/s | time left |',
      '| --- | --- | --- | --- | --- |',
      '| recompute | 5 / 10 | 0 | – | 3 min 20 s |',
      '',
      'Waits for `approve` of `abc`.',
    ]);
  });
});
