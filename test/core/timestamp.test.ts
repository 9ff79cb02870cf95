import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRfc3339 } from '../../core/click/timestamp.js';
import {
  HOUR_MS,
  daysFromCivil,
  daysInMonth,
  hourOf,
  minuteOf,
  minuteOfHour,
} from '../../core/time.js';
import { decodeBoth, scansFast } from './support/decode-both.js';

/** Late enough that no accepted time is in the future. */
const FAR_APPEND_MS = Date.UTC(2101, 0, 1);

function timeOf(json: string, appendMs = FAR_APPEND_MS): number | string {
  const result = decodeBoth(`{"event_id":"e","ad_id":"a","timestamp":${json}}`, appendMs);
  return result.kind === 'click' ? result.click.eventMs : result.reason;
}

describe('a timestamp', () => {
  test.each([
    ['2026-11-21T10:00:00Z', '2026-11-21T10:00:00.000Z'],
    ['2026-11-21t10:00:00z', '2026-11-21T10:00:00.000Z'],
    ['2026-11-21 10:00:00Z', '2026-11-21T10:00:00.000Z'],
    ['2026-11-21T10:00:00.5Z', '2026-11-21T10:00:00.500Z'],
    ['2026-11-21T10:00:00.12Z', '2026-11-21T10:00:00.120Z'],
    ['2026-11-21T10:59:59.999999999Z', '2026-11-21T10:59:59.999Z'],
    [`2026-11-21T10:00:00.0009${'9'.repeat(5000)}Z`, '2026-11-21T10:00:00.000Z'],
    ['2026-11-21T10:00:00+00:00', '2026-11-21T10:00:00.000Z'],
    ['2026-11-21T10:00:00-00:00', '2026-11-21T10:00:00.000Z'],
    ['2026-11-21T10:00:00+05:30', '2026-11-21T04:30:00.000Z'],
    ['2026-11-21T20:00:00.25-08:00', '2026-11-22T04:00:00.250Z'],
    ['2026-11-21T00:00:00+23:59', '2026-11-20T00:01:00.000Z'],
    ['2024-02-29T23:59:59.999Z', '2024-02-29T23:59:59.999Z'],
    ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000Z'],
    ['2025-12-31T23:59:59.999Z', '2025-12-31T23:59:59.999Z'],
    ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00.000Z'],
    ['2000-01-01T00:00:00Z', '2000-01-01T00:00:00.000Z'],
    ['2000-01-01T00:30:00+00:30', '2000-01-01T00:00:00.000Z'],
    ['2099-12-31T23:59:59.999Z', '2099-12-31T23:59:59.999Z'],
  ])('of %.50s is %s', (text, expected) => {
    expect(timeOf(JSON.stringify(text))).toBe(Date.parse(expected));
  });

  test.each([
    '',
    '2026-11-21',
    '2026-11-21T10',
    '2026-11-21T10:00Z',
    '2026-11-21T10:00:00',
    '2026-11-21 10:00:00',
    '2026-11-21T10:00:00.Z',
    '2026-11-21T10:00:00,5Z',
    '2026-11-21T10:00:60Z',
    '2016-12-31T23:59:60Z',
    '2026-11-21T24:00:00Z',
    '2026-11-21T10:60:00Z',
    '2026-11-21T10:00:00+24:00',
    '2026-11-21T10:00:00+01:60',
    '2026-11-21T10:00:00+0100',
    '2026-11-21T10:00:00 Z',
    ' 2026-11-21T10:00:00Z',
    '2026-11-21T10:00:00Z ',
    '2026-11-21T10:00:00ZZ',
    '2026-11-21_10:00:00Z',
    '2026/11/21T10:00:00Z',
    '2026-11-21T10-00-00Z',
    '2026-1-21T10:00:00Z',
    '26-11-21T10:00:00Z',
    '+2026-11-21T10:00:00Z',
    '12026-11-21T10:00:00Z',
    '2026-00-21T10:00:00Z',
    '2026-13-21T10:00:00Z',
    '2026-11-00T10:00:00Z',
    '2026-11-31T10:00:00Z',
    '2026-02-29T10:00:00Z',
    '2100-02-29T10:00:00Z',
    '２026-11-21T10:00:00Z',
    '1795255200000',
    'Sat, 21 Nov 2026 10:00:00 GMT',
    'now',
  ])('of %j is bad', (text) => {
    expect(timeOf(JSON.stringify(text))).toBe('bad_timestamp');
  });

  test.each([
    ['946684800000', 946_684_800_000],
    ['946684799999', 'timestamp_out_of_range'],
    ['4102444799999', 4_102_444_799_999],
    ['4102444800000', 'timestamp_out_of_range'],
    ['"1999-12-31T23:59:59.999Z"', 'timestamp_out_of_range'],
    ['"2000-01-01T00:00:00+00:01"', 'timestamp_out_of_range'],
    ['"2100-01-01T00:00:00Z"', 'timestamp_out_of_range'],
    ['"2099-12-31T23:59:59-00:01"', 'timestamp_out_of_range'],
    ['"0000-01-01T00:00:00Z"', 'timestamp_out_of_range'],
    ['0', 'timestamp_out_of_range'],
    ['-0', 'timestamp_out_of_range'],
    ['-1795255200000', 'timestamp_out_of_range'],
    ['1795255200', 'timestamp_out_of_range'],
    ['1795255200000000', 'timestamp_out_of_range'],
    ['1795255200000000000', 'timestamp_out_of_range'],
    ['9007199254740993', 'timestamp_out_of_range'],
    ['1e300', 'timestamp_out_of_range'],
    ['1e400', 'bad_timestamp'],
    ['-1e400', 'bad_timestamp'],
    ['1795255200000.5', 'bad_timestamp'],
    ['1795255200.123', 'bad_timestamp'],
    ['0.5', 'bad_timestamp'],
    ['01795255200000', 'not_json'],
    ['0795255200000', 'not_json'],
  ])('of %s gives %s', (json, expected) => {
    expect(timeOf(json)).toBe(expected);
  });

  test('may be ahead of the append time by 5 minutes, and no more', () => {
    const append = Date.UTC(2026, 10, 21, 10);
    expect(timeOf(String(append + 300_000), append)).toBe(append + 300_000);
    expect(timeOf(String(append + 300_001), append)).toBe('timestamp_in_future');
    expect(timeOf('"2026-11-21T10:05:00.000Z"', append)).toBe(append + 300_000);
    expect(timeOf('"2026-11-21T10:05:00.001Z"', append)).toBe('timestamp_in_future');
  });

  test('in the plain forms is read without the full parser', () => {
    for (const json of ['"2026-11-21T10:00:00Z"', '"2026-11-21T10:00:00.123456Z"', '1795255200000'])
      expect(scansFast(`{"event_id":"e","ad_id":"a","timestamp":${json}}`)).toBe(true);
  });

  test('of any instant in range is read alike from its text and its number', () => {
    const instant = fc.integer({ min: 946_684_800_000, max: 4_102_444_799_999 });
    fc.assert(
      fc.property(instant, (ms) => {
        expect(timeOf(JSON.stringify(new Date(ms).toISOString()))).toBe(ms);
        expect(timeOf(String(ms))).toBe(ms);
      }),
      { numRuns: 2000 },
    );
  });

  test('reads as the same instant at any offset', () => {
    const instant = fc.integer({ min: 1_000_000_000_000, max: 4_000_000_000_000 });
    const offsetMinutes = fc.integer({ min: -1439, max: 1439 });
    fc.assert(
      fc.property(instant, offsetMinutes, (ms, minutes) => {
        const local = new Date(ms + minutes * 60_000).toISOString().slice(0, -1);
        const two = (n: number): string => String(Math.trunc(n)).padStart(2, '0');
        const offset = `${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
        expect(parseRfc3339(`${local}${minutes < 0 ? '-' : '+'}${offset}`)).toBe(ms);
      }),
    );
  });
});

describe('the calendar', () => {
  test('agrees with the platform on every day from 1970 to 2199', () => {
    let day = 0;
    for (let year = 1970; year < 2200; year++) {
      for (let month = 1; month <= 12; month++) {
        const last = new Date(Date.UTC(year, month, 0)).getUTCDate();
        expect(daysInMonth(year, month)).toBe(last);
        expect(daysFromCivil(year, month, 1)).toBe(day);
        expect(daysFromCivil(year, month, last)).toBe(day + last - 1);
        day += last;
      }
    }
  });

  test('puts an instant on a border into the minute and hour that begin there', () => {
    const border = Date.UTC(2026, 0, 1);
    expect([hourOf(border), minuteOf(border), minuteOfHour(border)]).toEqual([border, border, 0]);
    const before = border - 1;
    expect([hourOf(before), minuteOf(before), minuteOfHour(before)]).toEqual([
      border - HOUR_MS,
      border - 60_000,
      59,
    ]);
  });
});
