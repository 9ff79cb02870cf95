import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TruecountError } from '../../core/errors.js';
import {
  RANGE_DAYS_MAX,
  WINDOW_DAYS_MAX,
  TIME_MS_END,
  TIME_MS_MIN,
  formatTime,
  parseHourRange,
  parseMinuteRange,
  parseTime,
} from '../../core/range.js';
import { DAY_MS, MINUTE_MS } from '../../core/time.js';

const TEN = Date.UTC(2026, 10, 21, 10);

/** The code of what a call throws, or `ok`. */
function codeOf(call: () => unknown): string {
  try {
    call();
    return 'ok';
  } catch (error) {
    return error instanceof TruecountError ? error.code : String(error);
  }
}

describe('a time', () => {
  test.each([
    ['2026-11-21T10', TEN],
    ['2026-11-21T10Z', TEN],
    ['2026-11-21t10', TEN],
    ['2026-11-21T10:05', TEN + 5 * MINUTE_MS],
    ['2026-11-21T10:05Z', TEN + 5 * MINUTE_MS],
    ['2026-11-21T10:05:00Z', TEN + 5 * MINUTE_MS],
    ['2026-11-21T10:05:00.25Z', TEN + 5 * MINUTE_MS + 250],
    ['2026-11-21T12:00:00+02:00', TEN],
    ['2028-02-29T00', Date.UTC(2028, 1, 29)],
  ])('%s is read', (text, ms) => {
    expect(parseTime('from', text)).toBe(ms);
  });

  test.each([
    '',
    '2026-11-21',
    '2026-11-21T',
    '2026-11-21T1',
    '2026-11-21T24',
    '2026-11-21T10:60',
    '2026-11-31T10',
    '2027-02-29T10',
    '2026-11-21T10:05:00',
    '2026-11-21T10:05:60Z',
    '10:05',
    'now',
    '1795255200000',
    ' 2026-11-21T10',
    '2026-11-21T10\n',
  ])('%j is none', (text) => {
    expect(codeOf(() => parseTime('from', text))).toBe('invalid_argument');
  });

  test.each([
    '0000-01-01T00',
    '0001-01-01T00',
    '0001-01-31T23:59',
    '9999-12-01T00',
    '9999-12-31T23',
    '9999-12-31T23:59:59-23:59',
    '0000-01-01T00:00:00+23:59',
  ])('%s is out of bounds', (text) => {
    expect(codeOf(() => parseTime('at', text))).toBe('invalid_argument');
    expect(() => parseTime('at', text)).toThrow('at is out of bounds');
  });

  test('leaves room for what is worked out of it: all of that can be written, too', () => {
    const times = fc.oneof(
      fc.integer({ min: TIME_MS_MIN, max: TIME_MS_END - 1 }),
      fc.constantFrom(TIME_MS_MIN, TIME_MS_END - 1),
    );
    const written = /^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/;
    fc.assert(
      fc.property(times, (ms) => {
        expect(parseTime('at', formatTime(ms))).toBe(ms);
        expect(formatTime(ms - WINDOW_DAYS_MAX * DAY_MS)).toMatch(written);
        expect(formatTime(ms + WINDOW_DAYS_MAX * DAY_MS)).toMatch(written);
      }),
    );
  });

  test('what is written is read back', () => {
    const times = fc.integer({ min: Date.UTC(2000, 0), max: Date.UTC(2099, 11) });
    fc.assert(fc.property(times, (ms) => parseTime('at', formatTime(ms)) === ms));
  });
});

describe('a range', () => {
  test('is [from, to) on whole minutes, and on whole hours where hours are asked for', () => {
    expect(parseMinuteRange('2026-11-21T10', '2026-11-21T10:01')).toEqual({
      fromMs: TEN,
      toMs: TEN + MINUTE_MS,
    });
    expect(codeOf(() => parseMinuteRange('2026-11-21T10', '2026-11-21T10:00:30Z'))).toBe(
      'invalid_range',
    );
    expect(codeOf(() => parseHourRange('2026-11-21T10', '2026-11-21T11:30'))).toBe('invalid_range');
    expect(codeOf(() => parseHourRange('2026-11-21T10', '2026-11-21T11'))).toBe('ok');
  });

  test('is refused when empty, backwards or too long, and allowed just below the bound', () => {
    const to = (ms: number) => codeOf(() => parseMinuteRange('2026-11-21T10', formatTime(ms)));
    expect(to(TEN)).toBe('invalid_range');
    expect(to(TEN - MINUTE_MS)).toBe('invalid_range');
    expect(to(TEN + RANGE_DAYS_MAX * DAY_MS)).toBe('ok');
    expect(to(TEN + RANGE_DAYS_MAX * DAY_MS + MINUTE_MS)).toBe('invalid_range');
  });
});
