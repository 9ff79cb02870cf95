import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ClickDecoder, DECODED } from '../../core/click/decode.js';
import { parseClick } from '../../core/click/parse.js';
import { CLICK, ClickScanner } from '../../core/click/scan.js';
import { createClickView } from '../../core/click/view.js';
import { resultOf, sameResult } from './support/decoding.js';
import { mutate } from './support/mutate.js';
import { Random } from './support/random.js';

const MUTATIONS = 1_000_000;
const SEED = 20_261_121;
const APPEND_MS = Date.UTC(2026, 10, 21, 10, 30);
const FIELDS = ['country', 'device', 'ad_format'];

const VALID = [
  `{"event_id":"5f0c1d2e","ad_id":"ad17","timestamp":"2026-11-21T10:00:00.123Z","user_id":"u1","country":"US","device":"mobile","ad_format":"banner"}`,
  `{"event_id":"5f0c1d2f","ad_id":"ad18","timestamp":1795255200000,"country":"DE","device":"tablet"}`,
  `{ "ad_id" : "ä-18" , "event_id":"\\u0041", "timestamp": "2026-11-21T12:00:00+02:00",\n"device":null, "ad_format":7 }`,
  `{"timestamp":"2024-02-29t23:59:59.999999z","geo":{"lat":-1.5e3,"tags":["a",true,null,{}]},"ad_id":"a","event_id":"b","country":""}`,
  `\0\0\0\0\x07{"event_id":"framed","ad_id":"ad1","timestamp":"2026-11-21T10:29:59Z","url":"http:\\/\\/x.example\\/ü"}`,
].map((text) => Buffer.from(text));

/** What stands around a record in a batch must not be read as part of it. */
const BEFORE = Buffer.from('{"event_id":"');
const AFTER = [
  '"}}',
  '","ad_id":"no"}',
  '}',
  ',"ad_id":"no"}',
  '0}',
  ':1}',
  ' }',
  '\\n"}',
  ']}',
].map((text) => Buffer.from(text));

/** The slow way to the same answer is the parser called again: tested on one record in so many. */
const FULL_PATH_EVERY = 8;

const stackTraceLimit = Error.stackTraceLimit;

// Collecting stacks of a million syntax errors that nobody reads would be most of the time.
beforeAll(() => {
  Error.stackTraceLimit = 0;
});

afterAll(() => {
  Error.stackTraceLimit = stackTraceLimit;
});

describe('a million random mutations of valid records', () => {
  test('crash nothing, and scanner with fallback and full parser agree on each', () => {
    const random = new Random(SEED);
    const decoder = new ClickDecoder(FIELDS);
    const scanner = new ClickScanner(FIELDS);
    const view = createClickView(FIELDS.length);
    const bytes = Buffer.alloc(4096);
    BEFORE.copy(bytes);
    const differences: string[] = [];
    const verdicts = new Map<string, number>();
    for (let n = 0; n < MUTATIONS && differences.length < 5; n++) {
      const record = mutate(random, random.pick(VALID));
      const end = BEFORE.length + record.copy(bytes, BEFORE.length);
      random.pick(AFTER).copy(bytes, end);
      const expected = parseClick(record, APPEND_MS, FIELDS);
      const fast = scanner.scan(bytes, BEFORE.length, end, APPEND_MS, view) === CLICK;
      let same = !fast || sameResult(resultOf(decoder, DECODED, view), expected);
      if (n % FULL_PATH_EVERY === 0) {
        const code = decoder.decodeInto(bytes, BEFORE.length, end, APPEND_MS, view);
        same &&= sameResult(resultOf(decoder, code, view), expected);
      }
      if (!same) differences.push(record.toString('latin1'));
      const verdict = expected.kind === 'click' ? `click, fast ${String(fast)}` : expected.reason;
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
    }
    expect(differences).toEqual([]);
    // The mutations must reach every verdict that so small a change can cause, and both paths.
    expect([...verdicts.keys()].sort()).toEqual([
      'bad_framing',
      'bad_id',
      'bad_timestamp',
      'click, fast false',
      'click, fast true',
      'empty',
      'missing_field',
      'not_json',
      'not_object',
      'not_utf8',
      'timestamp_in_future',
      'timestamp_out_of_range',
      'wrong_type',
    ]);
    expect(verdicts.get('click, fast true')).toBeGreaterThan(MUTATIONS / 20);
  }, 600_000);
});
