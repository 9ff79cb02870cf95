import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TruecountError } from '../../core/errors.js';
import { checkEntryWords, LEDGER_WORDS_MAX, ledgerWords } from '../../core/ledger-words.js';

const ENTRY = { actor: 'ada', reason: 'UK is GB', request: 'replay/a r1 publish' };

describe('words for the ledger', () => {
  test('are one line of text, of any script', () => {
    for (const text of ['x', 'UK counts as GB', 'weil’s stimmt – 訂正 🎉', 'x'.repeat(500)]) {
      expect(ledgerWords('reason', text)).toBe(text);
    }
    // Characters are counted, not code units.
    expect(ledgerWords('actor', '🎉'.repeat(LEDGER_WORDS_MAX.actor))).toHaveLength(400);
  });

  test.each<[unknown, string]>([
    [undefined, 'reason is missing'],
    [null, 'reason is missing'],
    ['', 'reason is missing'],
    [5, 'reason is no text'],
    [{ toString: 1 }, 'reason is no text'],
    ['x'.repeat(501), 'reason is too long'],
    ['🎉'.repeat(501), 'reason is too long'],
    ['a\u0000b', 'reason has control characters'],
    ['two\nlines', 'reason has control characters'],
    ['\u0085', 'reason has control characters'],
    ['\ud83c', 'reason has control characters or half a character'],
    ['\udf89\ud83c', 'half a character'],
  ])('are not %j', (value, words) => {
    expect(() => ledgerWords('reason', value)).toThrow(words);
  });

  test('are refused in every part of an entry, and what is taken is the same after UTF-8', () => {
    const any = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 });
    const part = fc.constantFrom('actor', 'reason', 'request');
    const property = fc.property(part, any, (name, text) => {
      try {
        checkEntryWords({ ...ENTRY, [name]: text });
      } catch (error) {
        expect(error).toBeInstanceOf(TruecountError);
        expect(error).toMatchObject({ code: 'invalid_argument' });
        return;
      }
      expect(new TextDecoder().decode(new TextEncoder().encode(text))).toBe(text);
      expect(JSON.stringify(text)).not.toMatch(/\\u/);
    });
    fc.assert(property, { numRuns: 1_000 });
    for (const name of ['actor', 'reason', 'request']) {
      for (const bad of ['a\u0000b', '\ud800', 'a\nb']) {
        expect(() => {
          checkEntryWords({ ...ENTRY, [name]: bad });
        }).toThrow('control characters');
      }
    }
  });
});
