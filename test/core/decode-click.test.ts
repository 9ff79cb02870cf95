import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Click } from '../../core/click/click.js';
import { ClickDecoder, DECODED, rejectReason } from '../../core/click/decode.js';
import { CLICK, ClickScanner, FALLBACK } from '../../core/click/scan.js';
import { createClickView } from '../../core/click/view.js';
import { APPEND_MS, FIELDS, decodeBoth, scansFast } from './support/decode-both.js';

const TIME = '"timestamp":"2026-11-21T10:00:00Z"';
const BASE = `"event_id":"e1","ad_id":"ad1",${TIME}`;

function accepted(value: string | Uint8Array, fields?: readonly string[]): Click {
  const result = decodeBoth(value, APPEND_MS, fields);
  if (result.kind !== 'click') throw new Error(`rejected: ${result.reason}, ${result.detail}`);
  return result.click;
}

function verdict(value: string | Uint8Array): string {
  const result = decodeBoth(value);
  return result.kind === 'click' ? 'click' : result.reason;
}

describe('a click', () => {
  test('is its ids, its time and the fields asked for', () => {
    expect(accepted(`{${BASE},"country":"US","ad_format":"banner","ip":"1.2.3.4"}`)).toEqual({
      adId: 'ad1',
      eventId: 'e1',
      eventMs: Date.UTC(2026, 10, 21, 10),
      fields: [
        { kind: 'value', text: 'US' },
        { kind: 'absent' },
        { kind: 'value', text: 'banner' },
      ],
    });
  });

  test.each([
    ['spaces and line breaks', ` \n{ "event_id" : "e1" ,\t"ad_id":"ad1",\r\n${TIME} } \n`],
    ['a byte order mark', `\ufeff{${BASE}}`],
    ['Confluent framing', `\0\0\0\x01\x02 {${BASE}}`],
    ['escapes in a key and in values', `{"event\\u005fid":"\\u00651","ad_id":"ad1",${TIME}}`],
    ['a repeated key: the last wins', `{"ad_id":"no","event_id":7,${BASE}}`],
    ['a __proto__ key', `{"__proto__":{"ad_id":"no"},${BASE},"constructor":null}`],
    ['64 levels', `{${BASE},"x":${'['.repeat(63)}${']'.repeat(63)}}`],
    ['brackets and quotes within strings', `{${BASE},"x":"${'[{\\"'.repeat(80)}"}`],
    ['numbers of every form', `{${BASE},"x":[0,-0,1.5,-1e400,2E+3,1e-9,123456789012345678901]}`],
    ['keys that are empty or not ASCII', `{"":1,"ключ":[true,false,null],${BASE}}`],
  ])('may be written with %s', (_, value) => {
    expect(accepted(value)).toMatchObject({ adId: 'ad1', eventId: 'e1' });
  });

  test('may be 256 KiB large, and no larger', () => {
    const head = `{${BASE},"note":"`;
    const fill = (size: number): string => `${head}${'x'.repeat(size - head.length - 2)}"}`;
    expect(verdict(fill(262_144))).toBe('click');
    expect(verdict(fill(262_145))).toBe('record_too_large');
  });

  test('may have a timestamp of epoch milliseconds, also one written with an exponent', () => {
    for (const number of ['1795255200000', '1795255200000.0', '1.7952552e12']) {
      const { eventMs } = accepted(`{"event_id":"e","ad_id":"a","timestamp":${number}}`);
      expect(eventMs).toBe(1_795_255_200_000);
    }
  });
});

describe('an id', () => {
  const withAd = (json: string): string => `{"event_id":"e1","ad_id":${json},${TIME}}`;

  test.each([
    [JSON.stringify('a'.repeat(1024)), 'click'],
    [JSON.stringify('a'.repeat(1025)), 'bad_id'],
    [JSON.stringify('ä'.repeat(512)), 'click'],
    [JSON.stringify('ä'.repeat(513)), 'bad_id'],
    [JSON.stringify('😀'.repeat(256)), 'click'],
    [JSON.stringify('😀'.repeat(257)), 'bad_id'],
    ['" "', 'click'],
    ['"\'; drop table hours; --"', 'click'],
    ['"=HYPERLINK(1)"', 'click'],
    ['"\\ud83d\\ude00"', 'click'],
    ['"\\ud83d"', 'bad_id'],
    ['"\\ude00\\ud83d"', 'bad_id'],
    ['"a\\u0000"', 'bad_id'],
    ['"a\\n"', 'bad_id'],
    ['"a\u007f"', 'bad_id'],
    ['"a\u0085"', 'bad_id'],
    ['"a\u00a0"', 'click'],
    ['""', 'bad_id'],
    ['"a\u0000"', 'not_json'],
    ['null', 'missing_field'],
    ['12', 'wrong_type'],
    ['9007199254740993', 'wrong_type'],
    ['true', 'wrong_type'],
    ['["a"]', 'wrong_type'],
    ['{"a":1}', 'wrong_type'],
  ])('of %s gives %s', (json, expected) => {
    expect(verdict(withAd(json))).toBe(expected);
    expect(verdict(withAd(json).replace('"event_id":"e1"', `"event_id":${json}`))).toBe(expected);
  });
});

describe('a record that is no click', () => {
  test.each([
    ['', 'empty'],
    [' \r\n\t', 'empty'],
    ['\ufeff', 'not_json'],
    ['\0', 'bad_framing'],
    ['\0\0\0\0\0', 'bad_framing'],
    ['\0\0\0\0\0 [1]', 'bad_framing'],
    ['\0\0\0\0\0{', 'not_json'],
    ['{}', 'missing_field'],
    ['{', 'not_json'],
    ['nul', 'not_json'],
    ['null', 'not_object'],
    ['"text"', 'not_object'],
    ['-0', 'not_object'],
    ['1e400', 'not_object'],
    ['[]', 'not_object'],
    [`{${BASE}}{${BASE}}`, 'not_json'],
    [`{${BASE},}`, 'not_json'],
    [`{${BASE},"x":01}`, 'not_json'],
    [`{${BASE},"x":NaN}`, 'not_json'],
    [`{${BASE},"x":+1}`, 'not_json'],
    [`{${BASE},"x":1.}`, 'not_json'],
    [`{${BASE},"x":"\t"}`, 'not_json'],
    [`{${BASE},"x":"\\x"}`, 'not_json'],
    [`{${BASE},"x":"\\u12g4"}`, 'not_json'],
    [`{${BASE},'x':1}`, 'not_json'],
    [`{${BASE}\u00a0}`, 'not_json'],
    [`{${BASE},"x":${'['.repeat(64)}${']'.repeat(64)}}`, 'too_deep'],
    ['['.repeat(200_000), 'too_deep'],
    ['{"a":'.repeat(40_000), 'too_deep'],
    [`{"event_id":"e1","ad_id":"a"}`, 'missing_field'],
    [`{"event_id":"e1","ad_id":"a","timestamp":null}`, 'missing_field'],
    [`{"event_id":"e1","ad_id":"a","timestamp":[1]}`, 'wrong_type'],
    [`{"event_id":"e1","ad_id":"a","timestamp":{}}`, 'wrong_type'],
    [`{"event_id":"e1","ad_id":"a","timestamp":false}`, 'wrong_type'],
    [`{"__proto__":{${BASE}}}`, 'missing_field'],
    // Several faults: the first reason in the order of the list.
    [`{"event_id":"","ad_id":"a","timestamp":"x"}`, 'bad_id'],
    [`{"event_id":"","ad_id":1}`, 'missing_field'],
  ])('%.60j gives %s', (value, expected) => {
    expect(verdict(value)).toBe(expected);
  });

  test.each([
    ['a stray byte', '22ff22'],
    ['an overlong slash', '22c0af22'],
    ['a surrogate in three bytes', '22eda08022'],
    ['a code point above U+10FFFF', '22f490808022'],
    ['a sequence cut short', '22e28222'],
  ])('with %s is not UTF-8', (_, hex) => {
    const bytes = Buffer.concat([
      Buffer.from(`{${BASE},"x":`),
      Buffer.from(hex, 'hex'),
      Buffer.from('}'),
    ]);
    expect(verdict(bytes)).toBe('not_utf8');
  });

  test('names the first required field that is missing', () => {
    const detail = (value: string): unknown => decodeBoth(value);
    expect(detail('{}')).toMatchObject({ detail: 'event_id is absent' });
    expect(detail('{"event_id":"e","ad_id":null}')).toMatchObject({ detail: 'ad_id is null' });
    expect(detail('{"event_id":"e","ad_id":"a"}')).toMatchObject({ detail: 'timestamp is absent' });
  });

  test('without a value is empty', () => {
    const decoder = new ClickDecoder(FIELDS);
    const code = decoder.decodeInto(null, 0, 0, APPEND_MS, createClickView(FIELDS.length));
    expect(rejectReason(code)).toBe('empty');
    expect(() => rejectReason(DECODED)).toThrow(RangeError);
  });
});

describe('a dimension field', () => {
  const field = (json: string): unknown => accepted(`{${BASE},"country":${json}}`).fields[0];

  test.each([
    ['"US"', { kind: 'value', text: 'US' }],
    ['"São Tomé"', { kind: 'value', text: 'São Tomé' }],
    ['"\\u0041"', { kind: 'value', text: 'A' }],
    ['"other"', { kind: 'value', text: 'other' }],
    ['""', { kind: 'absent' }],
    ['null', { kind: 'absent' }],
    ['12', { kind: 'other' }],
    ['true', { kind: 'other' }],
    ['["US"]', { kind: 'other' }],
    ['{"a":"US"}', { kind: 'other' }],
    ['"\\u0000"', { kind: 'other' }],
    ['"\u007f"', { kind: 'other' }],
    ['"\\ud800"', { kind: 'other' }],
    [JSON.stringify('x'.repeat(4096)), { kind: 'value', text: 'x'.repeat(4096) }],
    [JSON.stringify('x'.repeat(4097)), { kind: 'other' }],
    [JSON.stringify('€'.repeat(1365)), { kind: 'value', text: '€'.repeat(1365) }],
    [JSON.stringify('€'.repeat(1366)), { kind: 'other' }],
  ])('of %.40s is %.60j', (json, expected) => {
    expect(field(json)).toEqual(expected);
  });

  test('is looked up among the own keys of the record only', () => {
    const names = ['constructor', '__proto__', 'toString'];
    expect(accepted(`{${BASE}}`, names).fields).toEqual(names.map(() => ({ kind: 'absent' })));
    expect(accepted(`{${BASE},"__proto__":"x"}`, names).fields[1]).toEqual({
      kind: 'value',
      text: 'x',
    });
  });

  test('keeps nothing of the record before it', () => {
    const decoder = new ClickDecoder(FIELDS);
    const view = createClickView(FIELDS.length);
    for (const value of [`{${BASE},"country":"US","device":"é"}`, `{${BASE}}`]) {
      const bytes = Buffer.from(value);
      expect(decoder.decodeInto(bytes, 0, bytes.length, APPEND_MS, view)).toBe(DECODED);
    }
    expect([...view.fieldStart]).toEqual([-1, -1, -1]);
  });
});

describe('the fast scanner', () => {
  test.each([
    `{${BASE},"country":"US","device":"mobile","ad_format":"banner"}`,
    `{"event_id":"e1","ad_id":"ad1","timestamp":1795255200000,"country":null,"x":{"y":[1]}}`,
    ` { "ad_id" : "ad1", "url":"http:\\/\\/ü.example\\u0000", "event_id":"e",${TIME} } `,
    `\0\0\0\0\0{${BASE}}`,
  ])('takes the ordinary click %s by itself', (value) => {
    expect(scansFast(value)).toBe(true);
  });

  test('takes clicks of several layouts in turn, whatever layout it has learned', () => {
    const scanner = new ClickScanner(FIELDS);
    const view = createClickView(FIELDS.length);
    const layouts = [`{${BASE}}`, `{"device":"d",${BASE}}`, `{ ${BASE}, "device" :null}`];
    for (const value of [...layouts, ...layouts].map((text) => Buffer.from(text))) {
      expect(scanner.scan(value, 0, value.length, APPEND_MS, view)).toBe(CLICK);
    }
  });

  test('leaves a known click cut short anywhere to the parser, also at the end of its buffer', () => {
    const whole = Buffer.from(`{${BASE},"country":"US","device":"mobile"}`);
    const view = createClickView(FIELDS.length);
    for (let size = 0; size < whole.length; size++) {
      const scanner = new ClickScanner(FIELDS);
      expect(scanner.scan(whole, 0, whole.length, APPEND_MS, view)).toBe(CLICK);
      const short = Uint8Array.from(whole.subarray(0, size));
      expect(scanner.scan(short, 0, size, APPEND_MS, view)).toBe(FALLBACK);
      expect(scanner.scan(whole, 0, size, APPEND_MS, view)).toBe(FALLBACK);
    }
  });

  test('refuses fields that repeat or that tell clicks apart', () => {
    expect(() => new ClickScanner(['country', 'country'])).toThrow(/must differ/);
    expect(() => new ClickScanner(['ad_id'])).toThrow(/must differ/);
  });
});

describe('scanner with fallback and full parser', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ maxLength: 8 }));
  const scalar = fc.oneof(
    text,
    fc.double(),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  );
  const key = fc.oneof(
    fc.constantFrom('event_id', 'ad_id', 'timestamp', 'country', 'device', 'ad_format'),
    text,
  );
  const member = fc.tuple(key, fc.oneof(scalar, fc.jsonValue({ maxDepth: 3 })));
  const write = ([name, value]: [string, unknown]): string =>
    `${JSON.stringify(name)}:${JSON.stringify(value)}`;

  test('agree on any JSON object', () => {
    fc.assert(
      fc.property(fc.array(member, { maxLength: 10 }), (members) => {
        decodeBoth(`{${members.map(write).join(',')}}`);
      }),
      { numRuns: 3000 },
    );
  });

  test('agree on any object that holds the required keys', () => {
    const ids = fc.record({ event_id: text, ad_id: text, timestamp: scalar });
    fc.assert(
      fc.property(ids, fc.array(member, { maxLength: 4 }), (required, members) => {
        const all = [...Object.entries(required), ...members];
        decodeBoth(`{${all.map(write).join(', ')}}`);
      }),
      { numRuns: 3000 },
    );
  });

  test('agree on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        decodeBoth(bytes);
      }),
      { numRuns: 3000 },
    );
  });
});
