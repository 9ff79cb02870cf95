import { MINUTE, click, text, type Case } from './case.js';
import { HOUR } from './log.js';

const seventh = (json: string, i: number) =>
  text(`{"event_id":"n${String(i)}","ad_id":"a","timestamp":${json}}`);

/** Ways to write an instant. */
export const TIME_CASES: readonly Case[] = [
  {
    name: 'offsets of less than an hour, of none, and the widest that are in use',
    log: [
      ...['2026-11-01T06:07:00+00:00', '2026-11-01T06:07:59-00:00', '2026-11-01T06:37:00+00:30'],
      ...['2026-11-01T05:52:00-00:15', '2026-11-01T20:07:00+14:00', '2026-10-31T18:07:00-12:00'],
      ...['2026-11-02T06:06:00+23:59', '2026-10-31T06:08:00-23:59'],
    ].map((timestamp) => click({ timestamp })),
    cells: { '|a|7': 8 },
  },
  {
    name: 'fractions of any length are cut, not rounded; T and Z of either case, or a blank',
    log: [
      ...[
        '2026-11-01T06:07:59.9Z',
        '2026-11-01T06:07:59.99Z',
        '2026-11-01T06:07:59.9999999999999Z',
      ],
      ...['2026-11-01 08:07:00.5+02:00', '2026-11-01t05:07:00-01:00', '2026-11-01 06:07:59.999z'],
      ...['2026-11-01T06:07:00.0000001Z', '2026-11-01t06:07:00z'],
    ].map((timestamp) => click({ timestamp })),
    cells: { '|a|7': 8 },
  },
  {
    name: 'a number of milliseconds with decimals of nought and with exponents',
    log: [
      ...[`${ms(7)}E+0`, `${ms(7)}e0`, `${ms(7)}e-0`, `${ms(7)}.000`, `${ms(7)}0E-1`],
      ...[`${ms(7)}.0e+00`, `${String((HOUR + 7 * MINUTE) / 1e4)}E+4`],
    ].map(seventh),
    cells: { '|a|7': 7 },
  },
];

function ms(minute: number): string {
  return String(HOUR + minute * MINUTE);
}
