import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8Text } from '../../core/utf8.js';

const read = (bytes: Uint8Array): string =>
  utf8Text(bytes, (line) => new Error(`line ${String(line)}`));

describe('text of bytes', () => {
  it('in UTF-8 is that text, without a byte order mark', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(read(Buffer.from(`\ufeff${text}`))).toBe(text);
        if (!text.startsWith('\ufeff')) expect(read(Buffer.from(text))).toBe(text);
      }),
    );
  });

  it.each([
    ['Latin-1', Buffer.from('a\nb\né\nd', 'latin1'), 3],
    ['UTF-16', Buffer.from('\ufeffa\n', 'utf16le'), 1],
    ['a character that ends too early', Buffer.from([0x0a, 0xef, 0xbf, 0x0a, 0x61]), 2],
    ['a character that ends with the text', Buffer.from([0x0a, 0xe2, 0x82]), 2],
    ['half a pair of surrogates', Buffer.from([0x61, 0xed, 0xa0, 0x80]), 1],
    ['a real U+FFFD before', Buffer.from([0xef, 0xbf, 0xbd, 0x0a, 0xff]), 2],
    ['a byte order mark before', Buffer.from([0xef, 0xbb, 0xbf, 0x0a, 0xff]), 2],
  ])('that is %s is refused with the line', (_what, bytes, line) => {
    expect(() => read(bytes)).toThrow(`line ${String(line)}`);
  });
});
