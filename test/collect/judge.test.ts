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

  it('of any bytes is split or refused, never more', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 50 }),
        fc.constantFrom('json', 'ndjson', 'any'),
        (bytes, form) => {
          const body = Buffer.concat([Buffer.from('['), bytes]);
          try {
            const total = splitBody(body, form, 10).reduce((sum, one) => sum + one.length, 0);
            expect(total).toBeLessThanOrEqual(body.length);
          } catch (error) {
            expect(['invalid_argument', 'body_too_large']).toContain(
              (error as { code: unknown }).code,
            );
          }
        },
      ),
    );
  });
});
