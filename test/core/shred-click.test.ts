import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseClick } from '../../core/click/parse.js';
import { FIELD_COLUMNS, shredClick, shreddedField, unshredClick } from '../../core/click/shred.js';
import type { ShreddedClick } from '../../core/click/shred.js';
import { mutate } from './support/mutate.js';
import { Random } from './support/random.js';

const APPEND_MS = Date.UTC(2026, 10, 21, 10);

function shred(text: string | Uint8Array): ShreddedClick {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const result = shredClick(bytes, APPEND_MS);
  if (result.kind === 'rejected') throw new Error(`${result.reason}: ${result.detail}`);
  return result;
}

/** Members as JSON.parse sees them, on an object without prototype so that all keys compare. */
function members(text: string): Map<string, unknown> {
  return new Map(Object.entries(JSON.parse(text) as object));
}

function record(more: string, timestamp = String(APPEND_MS)): string {
  return `{"event_id":"e","ad_id":"a","timestamp":${timestamp}${more === '' ? '' : `,${more}`}}`;
}

/** The exact text of a lone value of `rest`. */
const restOf = (more: string, timestamp?: string): string | null =>
  shred(record(more, timestamp)).rest;

test('the fields with a column are in it, and a plain record has no rest', () => {
  const text = record('"country":"US","device":"","ip":"10.0.0.1","user_id":"ü","ad_format":"b"');
  expect(shred(text)).toEqual({
    kind: 'click',
    eventMs: APPEND_MS,
    adId: 'a',
    eventId: 'e',
    fields: ['ü', '10.0.0.1', 'US', '', 'b'],
    rest: null,
  });
});

test.each([
  ['unknown fields, by key', '"z":1,"b":{"y":[1, 2]}', '{"b":{"y":[1, 2]},"z":1}'],
  ['a known field that is null', '"country":null', '{"country":null}'],
  ['a known field that is a number', '"device":1.50', '{"device":1.50}'],
  ['a known field that is an array', '"ip":[]', '{"ip":[]}'],
  ['a lone surrogate', '"country":"\\ud800"', '{"country":"\\ud800"}'],
  ['NUL', '"country":"a\\u0000"', '{"country":"a\\u0000"}'],
  ['a C1 control character', '"country":"\u0085"', '{"country":"\u0085"}'],
  ['a number that no double holds', '"n":12345678901234567890', '{"n":12345678901234567890}'],
  ['a number beyond doubles', '"n":1e400', '{"n":1e400}'],
  ['the last of a repeated key', '"k":1,"k":{"a":"}"}', '{"k":{"a":"}"}}'],
  ['a key in escapes', '"\\u0062":true', '{"b":true}'],
  ['the key __proto__', '"__proto__":{"country":"US"}', '{"__proto__":{"country":"US"}}'],
])('the rest keeps %s', (_, more, rest) => {
  expect(restOf(more)).toBe(rest);
});

test('of a repeated field with a column the last wins, whichever place it goes to', () => {
  expect(shred(record('"country":"US","country":1')).fields[2]).toBeNull();
  expect(restOf('"country":"US","country":1')).toBe('{"country":1}');
  expect(shred(record('"country":1,"country":"US"'))).toMatchObject({
    fields: [null, null, 'US', null, null],
    rest: null,
  });
});

test.each([
  ['2026-11-21T09:59:59.120Z', '{"timestamp":""}'],
  ['2026-11-21T09:59:59.12Z', '{"timestamp":"2026-11-21T09:59:59.12Z"}'],
  ['2026-11-21T10:59:59.120+01:00', '{"timestamp":"2026-11-21T10:59:59.120+01:00"}'],
  ['2026-11-21t09:59:59.1209z', '{"timestamp":"2026-11-21t09:59:59.1209z"}'],
])('the timestamp %s is kept as it was written', (written, rest) => {
  const text = record('', JSON.stringify(written));
  expect(shred(text).rest).toBe(rest);
  expect(members(unshredClick(shred(text))).get('timestamp')).toBe(written);
});

test('a number with another spelling is the same timestamp', () => {
  expect(restOf('', '1.7952552e12')).toBeNull();
});

test('framing and a byte order mark are not part of the record', () => {
  const text = record('"x":1');
  const framed = Buffer.concat([Buffer.of(0, 0, 0, 0, 7), Buffer.from(text)]);
  expect(shred(framed)).toEqual(shred(text));
  expect(shred(`\ufeff${text}`)).toEqual(shred(text));
});

test('what is no click is rejected with the reason that parseClick gives', () => {
  for (const value of [null, Buffer.from('{}'), Buffer.from('x'), Buffer.from('{"event_id":1}')]) {
    expect(shredClick(value, APPEND_MS)).toEqual(parseClick(value, APPEND_MS, []));
  }
});

const hostileText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '\0', '\ud800', '\udfff\ud800', 'US', '"', '\\', '\u2028', '__proto__'),
);
const hostileValue = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  hostileText,
  fc.constantFrom(null, true, -0, 1e300, [], {}, ['}'], { '"': ',' }),
);
const hostileKey = fc.oneof(
  hostileText,
  fc.constantFrom<string>(...FIELD_COLUMNS, 'constructor', 'toString', 'rest'),
);
const timestamps = fc.oneof(
  fc.integer({ min: APPEND_MS - 1e9, max: APPEND_MS }),
  fc
    .integer({ min: APPEND_MS - 1e9, max: APPEND_MS })
    .chain((ms) =>
      fc.constantFrom(
        new Date(ms).toISOString(),
        new Date(ms).toISOString().replace('T', ' '),
        new Date(ms).toISOString().replace('Z', '00+00:00'),
      ),
    ),
);
/** Keys repeat, whitespace is anywhere. */
const hostileRecord = fc
  .record({
    space: fc.constantFrom('', ' ', '\n\t'),
    timestamp: timestamps,
    more: fc.array(fc.tuple(hostileKey, hostileValue), { maxLength: 8 }),
  })
  .map(({ space, timestamp, more }) => {
    const all: [string, unknown][] = [
      ...more,
      ['event_id', 'e'],
      ['ad_id', 'ä'],
      ['timestamp', timestamp],
    ];
    const written = all.map(
      ([key, value]) => `${space}${JSON.stringify(key)}${space}:${space}${JSON.stringify(value)}`,
    );
    return `{${written.join(`${space},`)}${space}}`;
  });

test('taken apart and put together, any record has the same members', () => {
  fc.assert(
    fc.property(hostileRecord, (text) => {
      const click = shred(text);
      expect(members(unshredClick(click))).toEqual(members(text));
      if (click.rest !== null) expect(Buffer.from(click.rest).toString()).toBe(click.rest);
    }),
    { numRuns: 2_000 },
  );
});

test('fields seen through the columns are those that parseClick sees', () => {
  fc.assert(
    fc.property(hostileRecord, hostileKey, (text, key) => {
      const names = [...FIELD_COLUMNS, key];
      const parsed = parseClick(Buffer.from(text), APPEND_MS, names);
      if (parsed.kind === 'rejected') throw new Error(parsed.detail);
      const click = shred(text);
      expect(names.map((name) => shreddedField(click, name))).toEqual(parsed.click.fields);
    }),
    { numRuns: 2_000 },
  );
});

test('mutated records are clicks exactly where parseClick says so, and keep their members', () => {
  const random = new Random(20261121);
  const plain = Buffer.from(
    record(
      '"user_id":"u1","ip":"10.1.2.3","country":"US","device":"mobile","ad_format":"b","x":[1]',
    ),
  );
  let clicks = 0;
  for (let i = 0; i < 20_000; i++) {
    const bytes = mutate(random, plain);
    const shredded = shredClick(bytes, APPEND_MS);
    const parsed = parseClick(bytes, APPEND_MS, FIELD_COLUMNS);
    if (shredded.kind === 'rejected' || parsed.kind === 'rejected') {
      expect(shredded).toEqual(parsed);
      continue;
    }
    clicks++;
    const { adId, eventId, eventMs } = shredded;
    const fields = FIELD_COLUMNS.map((name) => shreddedField(shredded, name));
    expect({ adId, eventId, eventMs, fields }).toEqual(parsed.click);
    const again = Buffer.from(unshredClick(shredded));
    expect(shredClick(again, APPEND_MS)).toEqual(shredded);
  }
  expect(clicks).toBeGreaterThan(1_000);
});
