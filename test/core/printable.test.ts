import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printable, printableBytes } from '../../core/printable.js';

test('plain text stays as it is, in any script', () => {
  expect(printable('{"ad_id":"ä ☂ 広告"}')).toBe('{"ad_id":"ä ☂ 広告"}');
});

test.each([
  ['a terminal escape', '\u001b[2J', '\\u{1b}[2J'],
  ['a one-byte control sequence introducer', '\u009b2J', '\\u{9b}2J'],
  ['text turned around', 'a\u202eb', 'a\\u{202e}b'],
  ['a space without width', 'a\u200bb', 'a\\u{200b}b'],
  ['a line break', 'a\r\nb', 'a\\u{d}\\nb'],
  ['a backslash', 'a\\u{1b}', 'a\\\\u{1b}'],
  ['half a surrogate pair', 'a\ud83d', 'a\\u{d83d}'],
])('%s is written as an escape', (_name, text, expected) => {
  expect(printable(text)).toBe(expected);
});

test('bytes that are UTF-8 are text, and others show every byte beyond ASCII', () => {
  expect(printableBytes(Buffer.from('{"a":"ä"}'))).toBe('{"a":"ä"}');
  expect(printableBytes(Buffer.from([0x61, 0xff, 0x1b, 0xc3]))).toBe('a\\xff\\u{1b}\\xc3');
  expect(printableBytes(Buffer.alloc(0))).toBe('');
});

test('the first bytes of more say how many are left out, and may end within a character', () => {
  expect(printableBytes(Buffer.from('aä').subarray(0, 2), 100)).toBe('a… (98 bytes more)');
});

test('whatever the bytes, nothing that acts on a terminal comes out', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(printableBytes(bytes)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
    }),
    { numRuns: 2_000 },
  );
});
