import fc from 'fast-check';
import { MINUTES_PER_HOUR, HOUR_MS, MINUTE_MS } from '../../../core/time.js';
import { respelled } from './respelled.js';
import { ADS, FIELDS, FIELD_TEXTS } from './vocabulary.js';

/** A click as JSON text; its time is near the beginning of the hour that it is asked for. */
export type RandomClick = (hourMs: number) => string;

// Any code points. `fc.string({unit: 'binary'})` lists all of them first, which takes seconds.
const codePoints = fc
  .array(fc.oneof(fc.nat({ max: 0x7f }), fc.nat({ max: 0xffff }), fc.nat({ max: 0x10ffff })), {
    maxLength: 4,
  })
  .map((points) => String.fromCodePoint(...points));

/** Texts that something on the way might take for something else. */
const hostileText = fc.oneof(
  { weight: 2, arbitrary: fc.string({ maxLength: 6 }) },
  { weight: 2, arbitrary: codePoints },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...['', '', '\ufeffa', '\ud800', '\udc00x', '\u0000', 'a\u0000', '\t', '\u0085', "'", '"'],
      ...['é'.repeat(128), 'é'.repeat(129), 'x'.repeat(257), 'x'.repeat(1025)],
      ...['x'.repeat(4096), 'x'.repeat(4097), 'é'.repeat(2048), `${' '.repeat(4000)}US`],
    ),
  },
);

/** JSON texts of values that are no strings. */
const noText = fc.oneof(
  fc.constantFrom(
    ...['null', 'true', 'false', '0', '-0', '-1.5', '1e300', '1E-9', '1e999', '-0.0'],
    ...['9007199254740993', '123456789012345678901', '[]', '["US"]', '[["US"]]', '{}'],
    ...['{"country":"US"}', '{"text":"US","kind":"value"}', '{"event_id":"e1","ad_id":"a"}'],
  ),
  fc.json(),
);

/** A member of the record as JSON text. */
const member = fc
  .constantFrom(...FIELDS)
  .chain((name) =>
    fc
      .oneof(
        { weight: 7, arbitrary: fc.constantFrom(...FIELD_TEXTS[name]!).map(quoted) },
        { weight: 2, arbitrary: hostileText.map(quoted) },
        { weight: 1, arbitrary: noText },
      )
      .map((json) => `${quoted(name)}:${json}`),
  );

function quoted(text: string): string {
  return JSON.stringify(text);
}

/** Milliseconds from the beginning of the hour, many of them at the borders of minutes. */
const sinceHour = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: MINUTE_MS }) },
  { weight: 2, arbitrary: fc.integer({ min: -MINUTE_MS, max: HOUR_MS + MINUTE_MS }) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.integer({ min: 0, max: MINUTES_PER_HOUR }), fc.constantFrom(-1, 0, 1))
      .map(([minute, ms]) => minute * MINUTE_MS + ms),
  },
);

const iso = (ms: number): string => new Date(ms).toISOString();

/** The time on a clock that is so many minutes ahead, with the offset that says so. */
const ahead = (minutes: number, offset: string) => (ms: number) =>
  iso(ms + minutes * MINUTE_MS).replace('Z', offset);

const zoned = fc.constantFrom(
  ...[ahead(0, 'Z'), ahead(0, 'z'), ahead(0, '+00:00'), ahead(0, '-00:00'), ahead(330, '+05:30')],
  ...[ahead(-660, '-11:00'), ahead(30, '+00:30'), ahead(-15, '-00:15'), ahead(840, '+14:00')],
);

/** Between date and time. */
const between = fc.constantFrom('T', 'T', 't', ' ');

/** Of the milliseconds: as they are, cut to fewer digits, or with more, which say nothing. */
const fraction = fc.constantFrom<(digits: string) => string>(
  (digits) => `.${digits}`,
  (digits) => `.${digits.slice(0, 1)}`,
  (digits) => `.${digits.slice(0, 2)}`,
  (digits) => `.${digits}9999999`,
  (digits) => (digits === '000' ? '' : `.${digits}0`),
);

const written = fc.tuple(zoned, between, fraction).map(
  ([form, letter, cut]) =>
    (ms: number) =>
      quoted(
        form(ms)
          .replace('T', letter)
          .replace(/\.(\d{3})/, (_all, digits: string) => cut(digits)),
      ),
);

/** Ways to write milliseconds. */
const numeric = fc.constantFrom<(ms: number) => string>(
  String,
  (ms) => `${String(ms)}.0`,
  (ms) => `${String(ms)}00e-2`,
  (ms) => `${String(ms)}E+0`,
  (ms) => `${String(ms)}.000e0`,
);

/** Ways to write a time. */
const timeForm = fc.oneof({ weight: 1, arbitrary: numeric }, { weight: 2, arbitrary: written });

const badTime = fc.constantFrom(
  ...['"2026-11-01T06:60:00Z"', '"2026-11-01T06:30:60Z"', '"2026-11-01T06:30:00"', '"soon"', '""'],
  ...['0', '-0', '-1', '1e300', 'null', '[]', '1793512800000.5', '9007199254740993'],
  ...['"1999-12-31T23:59:59.999Z"', '"2000-01-01T00:00:00Z"', '"2100-01-01T00:00:00Z"'],
);

const time: fc.Arbitrary<(hourMs: number) => string> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.tuple(sinceHour, timeForm).map(
      ([ms, form]) =>
        (hourMs: number) =>
          form(hourMs + ms),
    ),
  },
  { weight: 1, arbitrary: badTime.map((json) => () => json) },
);

/** A member that the click has again further on, where it counts, under the same key. */
const before = fc
  .tuple(
    fc.constantFrom('event_id', 'ad_id', 'timestamp'),
    fc.oneof(fc.constantFrom('"e1"', '"a"', '1793512800000'), noText),
  )
  .map(([name, json]) => `${quoted(name)}:${json},`);

/** 0: as JSON.stringify writes it. */
const spelling = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 0x7fff_ffff }) },
);

/** An id as JSON text, rarely of something that is none. */
const idOf = (texts: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 45, arbitrary: texts.map(quoted) },
    { weight: 4, arbitrary: hostileText.map(quoted) },
    { weight: 1, arbitrary: noText },
  );

/** Clicks with few ads and ids, so that many are duplicates of others, and be it otherwise spelled. */
export const randomClick: fc.Arbitrary<RandomClick> = fc
  .record({
    ad: idOf(fc.constantFrom(...ADS)),
    id: idOf(fc.nat(40).map((n) => `e${String(n)}`)),
    time,
    first: fc.oneof({ weight: 9, arbitrary: fc.constant('') }, { weight: 1, arbitrary: before }),
    spelling,
    members: fc.array(member, { maxLength: 12, size: 'max' }),
  })
  .map(({ ad, id, time: timeOf, first, spelling: seed, members }) => (hourMs: number) => {
    // As text, since keys may repeat and "__proto__" has to be an own key.
    const ids = [`"event_id":${id}`, `"ad_id":${ad}`];
    const json = `{${first}${[...ids, `"timestamp":${timeOf(hourMs)}`, ...members].join(',')}}`;
    return seed === 0 ? json : respelled(json, seed);
  });
