import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteInterner } from '../../stream/interner.js';

/** Few letters and shared endings: many texts that look alike to a cheap hash. */
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 6 }),
  fc.tuple(fc.nat(3000), fc.constantFrom('', '-mobile', 'é')).map(([n, end]) => String(n) + end),
);

test('equal texts and only those share an id, also after a clear', () => {
  const interner = new ByteInterner();
  fc.assert(
    fc.property(fc.array(text, { maxLength: 400 }), (texts) => {
      interner.clear();
      const ids = new Map<string, number>();
      for (const value of [...texts, ...texts]) {
        const bytes = Buffer.from(`<${value}>`);
        const id = interner.intern(bytes, 1, bytes.length - 1);
        expect(id).toBe(ids.get(value) ?? ids.size);
        expect(interner.toString(id)).toBe(value);
        ids.set(value, id);
      }
      expect(interner.size).toBe(ids.size);
    }),
  );
});
