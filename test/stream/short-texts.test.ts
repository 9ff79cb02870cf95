import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ShortTexts } from '../../stream/short-texts.js';

const PADDING = Buffer.from('"}, and more of it');

function placed(text: Buffer, before: Buffer): { source: Buffer; start: number; end: number } {
  const source = Buffer.concat([before, text, PADDING]);
  return { source, start: before.length, end: before.length + text.length };
}

test('a text is found by its bytes alone, whatever stands around it', () => {
  const texts = new ShortTexts();
  const a = placed(Buffer.from('US'), Buffer.from('{"country":"'));
  expect(texts.find(a.source, a.start, a.end)).toBe(-1);
  texts.remember(a.source, a.start, a.end, 7);
  const b = placed(Buffer.from('US'), Buffer.from('x'));
  expect(texts.find(b.source, b.start, b.end)).toBe(7);
  texts.clear();
  expect(texts.find(b.source, b.start, b.end)).toBe(-1);
});

test('a text with NUL at its end is another one, and so is the empty one', () => {
  const texts = new ShortTexts();
  ['', '\0', 'a', 'a\0', 'abcd', 'abcd\0', 'abcdefgh', 'abcdefgh\0'].forEach((text, number) => {
    const { source, start, end } = placed(Buffer.from(text), Buffer.alloc(0));
    texts.remember(source, start, end, number);
    expect(texts.find(source, start, end), JSON.stringify(text)).toBe(number);
  });
});

test('a long text, and one at the end of its source, are unknown and do no harm', () => {
  const texts = new ShortTexts();
  const long = placed(Buffer.from('thirteen char'), Buffer.alloc(0));
  texts.remember(long.source, long.start, long.end, 1);
  expect(texts.find(long.source, long.start, long.end)).toBe(-1);
  const last = Buffer.from('{"country":"DE"}');
  texts.remember(last, 12, 14, 2);
  expect(texts.find(last, 12, 14)).toBe(-1);
});

test('of texts that differ in one word only none is taken for another one', () => {
  const texts = new ShortTexts();
  const all = Array.from({ length: 1_000 }, (_, i) => String(1_000 + i)).flatMap((four) => [
    ...[`${four}efgh`, `abcd${four}`, `abcdefgh${four}`, `${four}efghijkl`],
  ]);
  all.forEach((text, number) => {
    const { source, start, end } = placed(Buffer.from(text), Buffer.from('"'));
    expect(texts.find(source, start, end), text).toBe(-1);
    texts.remember(source, start, end, number);
  });
});

test('no text is ever taken for another one', () => {
  const bytes = fc.uint8Array({ minLength: 0, maxLength: 14, max: 3 });
  fc.assert(
    fc.property(fc.array(fc.tuple(bytes, bytes), { minLength: 1, maxLength: 60 }), (pairs) => {
      const texts = new ShortTexts();
      const numbers = new Map<string, number>();
      for (const [text, before] of pairs) {
        const { source, start, end } = placed(Buffer.from(text), Buffer.from(before));
        const key = Buffer.from(text).toString('hex');
        const number = numbers.get(key) ?? numbers.size;
        numbers.set(key, number);
        expect([-1, number]).toContain(texts.find(source, start, end));
        texts.remember(source, start, end, number);
        expect(texts.find(source, start, end)).toBe(text.length <= 12 ? number : -1);
      }
    }),
  );
});
