import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClickJudge, type AcceptedClick } from '../../collect/judge.js';
import { splitBody } from '../../collect/split.js';
import { parseClick } from '../../core/click/parse.js';

const NOW_MS = Date.UTC(2026, 10, 21, 10);
const judge = new ClickJudge();

function accepted(text: string | Buffer, key?: string): AcceptedClick {
  const judged = judge.judge(Buffer.from(text), NOW_MS, key);
  if (judged.kind === 'rejected') throw new Error(`${judged.code}: ${judged.detail}`);
  return judged;
}

describe('a click without an id', () => {
  it.each([
    ['nothing else', '{"ad_id":"a"}'],
    ['white space', ' {\n "ad_id" : "a" }\r\n'],
    ['escaped names', '{"\\u0061d_id":"a"}'],
    ['a byte order mark', '\ufeff{"ad_id":"a"}'],
    ['a framing', Buffer.concat([Buffer.from([0, 0, 0, 0, 1]), Buffer.from('{"ad_id":"a"}')])],
    ['a name that objects have', '{"__proto__":{"event_id":"no"},"ad_id":"a"}'],
  ])('and with %s gets an id and the time of arrival', (_what, text) => {
    const { given, value, key } = accepted(text);
    expect(given?.timestamp).toBe('2026-11-21T10:00:00.000Z');
    const {
      event_id: id,
      timestamp,
      ad_id: ad,
    } = JSON.parse(String(value)) as Record<string, string>;
    expect([id, timestamp, ad, String(key)]).toEqual([given?.event_id, given?.timestamp, 'a', 'a']);
  });

  it('is a click for the decoder once it has them, with all other members as they were', () => {
    const name = fc.string({ maxLength: 4 });
    const members = fc.dictionary(name, fc.jsonValue({ maxDepth: 1 }), { maxKeys: 4 });
    fc.assert(
      fc.property(members, (more) => {
        const sent = { ...more, ad_id: 'a' };
        const { value, given } = accepted(JSON.stringify(sent));
        expect(parseClick(value, NOW_MS, []).kind).toBe('click');
        expect(JSON.stringify(JSON.parse(String(value)))).toBe(
          JSON.stringify({ ...given, ...sent }),
        );
      }),
    );
  });

  it('is rejected for what else is wrong with it', () => {
    const code = (text: string): string => {
      const judged = judge.judge(Buffer.from(text), NOW_MS);
      return judged.kind === 'rejected' ? judged.code : 'click';
    };
    expect(code('{}')).toBe('missing_field');
    expect(code('{"ad_id":1}')).toBe('wrong_type');
    expect(code('{"ad_id":"a","timestamp":"yesterday"}')).toBe('bad_timestamp');
    expect(code('{"ad_id":"a","timestamp":null}')).toBe('missing_field');
    expect(code(`{"ad_id":"a","x":"${'y'.repeat(256 * 1024 - 30)}"}`)).toBe('record_too_large');
  });
});

it('the key is a copy: the next record does not change it', () => {
  const first = accepted('{"event_id":"1","ad_id":"\\u0061a","timestamp":1700000000000}');
  accepted('{"event_id":"2","ad_id":"\\u0062b","timestamp":1700000000000}');
  expect(String(first.key)).toBe('aa');
});

/** Of an element that JSON.parse does not take. */
const BROKEN = 'broken, so mended';

/** As JSON.parse has it, and `otherwise` if it refuses. */
function parsed(bytes: Buffer, otherwise?: string): unknown {
  try {
    return JSON.parse(String(bytes)) as unknown;
  } catch {
    return otherwise;
  }
}

describe('a body', () => {
  it('that is an array is split where JSON.parse would', () => {
    fc.assert(
      fc.property(
        fc.array(fc.json({ maxDepth: 3 }), { minLength: 1 }),
        fc.constantFrom('', ' ', '\n'),
        (elements, space) => {
          const body = Buffer.from(
            `${space}[${elements.map((one) => space + one + space).join()}]${space}`,
          );
          expect(splitBody(body, 'json', 1_000).map(String)).toEqual(
            elements.map((one) => one.trim()),
          );
        },
      ),
    );
  });

  const clicks = fc
    .tuple(fc.array(fc.json({ maxDepth: 2 }), { maxLength: 4 }), fc.constantFrom(',', ' ,\n'))
    .map(([elements, comma]) => `[${elements.join(comma)}]`);
  const SIGNS = [...'[]{},:"\\ \n1a'];
  /** Some places of an array written over, left out or put between. */
  const damaged = fc
    .tuple(
      clicks,
      fc.array(fc.tuple(fc.nat(80), fc.nat(1), fc.constantFrom(...SIGNS, '')), {
        minLength: 1,
        maxLength: 3,
      }),
    )
    .map(([text, edits]) =>
      edits.reduce((now, [at, gone, sign]) => now.slice(0, at) + sign + now.slice(at + gone), text),
    );
  const signs = fc.string({ unit: fc.constantFrom(...SIGNS), maxLength: 12 });
  const any = fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes));

  it('that begins as an array is one, but for what is broken within an element', () => {
    const seen = { whole: 0, broken: 0, refused: 0 };
    const text = fc.oneof(clicks, damaged, signs, any);
    const property = fc.property(text, fc.constantFrom('json', 'any'), (bytes, form) => {
      const body = Buffer.concat([Buffer.from('['), Buffer.from(bytes)].slice(+(bytes[0] === '[')));
      const array = parsed(body) as unknown[] | undefined;
      let records: Buffer[];
      try {
        records = splitBody(body, form, 1_000);
      } catch (error) {
        expect((error as { code: unknown }).code).toBe('invalid_argument');
        expect(array ?? []).toEqual([]);
        seen.refused++;
        return;
      }
      const values = records.map((one) => parsed(one, BROKEN));
      if (array !== undefined) {
        seen.whole++;
        expect(values).toEqual(array);
        return;
      }
      // With something whole in the place of what is broken, it is an array of as many.
      seen.broken++;
      let mended = body.subarray(0);
      for (const one of records.filter((_, i) => values[i] === BROKEN).reverse()) {
        const at = one.byteOffset - body.byteOffset;
        const rest = mended.subarray(at + one.length);
        mended = Buffer.concat([mended.subarray(0, at), Buffer.from(JSON.stringify(BROKEN)), rest]);
      }
      expect(parsed(mended)).toEqual(values);
      expect(values).toContain(BROKEN);
    });
    fc.assert(property, { numRuns: 20_000 });
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(500);
  });

  const CLICK = '{"event_id":"e","ad_id":"a","timestamp":1700000000000}';
  it.each([
    ['another bracket at its end', `[${CLICK}}`],
    ['another bracket within', `[{"a":[1}]},${CLICK}]`],
    ['a comma at its end', `[${CLICK},]`],
    ['a comma at its start', `[,${CLICK}]`],
    ['nothing between two commas', `[${CLICK}, ,${CLICK}]`],
    ['no comma between two', `[${CLICK} ${CLICK}]`],
    ['a word before a bracket', `[x${CLICK}]`],
    ['brackets that do not end', `[${CLICK},[]`],
    ['a string that does not end', `[${CLICK},"]`],
    ['no end', `[${CLICK}`],
    ['no end behind a comma', `[${CLICK},`],
    ['something behind it', `[${CLICK}]]`],
    ['nothing', '['],
    ['a hundred thousand brackets', '['.repeat(100_000)],
  ])('that would be an array, with %s, is refused whole', (_what, text) => {
    expect(() => splitBody(Buffer.from(text), 'json', 10)).toThrow('the body is no JSON array: ');
  });

  it.each([
    ['{"ad_id":}'],
    ['{"a":1,}'],
    ['{"a" 1 "b"}'],
    ['[1 2]'],
    ['tru'],
    ['01'],
    ['1 2'],
    ['"\n"'],
    [`${'['.repeat(1_000)}x${']'.repeat(1_000)}`],
  ])('that is an array is split around an element that is no JSON, number %#', (broken) => {
    const split = splitBody(Buffer.from(`[${CLICK}, ${broken} ,${CLICK}]`), 'json', 10);
    expect(split.map(String)).toEqual([CLICK, broken, CLICK]);
    expect(split.map((one) => judge.judge(one, NOW_MS).kind)).toEqual([
      'click',
      'rejected',
      'click',
    ]);
  });

  it('of lines is split at them, whatever they hold', () => {
    fc.assert(
      fc.property(fc.oneof(signs, any), (bytes) => {
        const text = Buffer.from(bytes).toString('latin1');
        const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
        const expected = lines.filter((line) => line !== '');
        if (expected.length === 0) return;
        const split = splitBody(Buffer.from(bytes), 'ndjson', 1_000);
        expect(split.map((line) => line.toString('latin1'))).toEqual(expected);
      }),
    );
  });
});
