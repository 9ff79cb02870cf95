import fc from 'fast-check';
import { expect, it } from 'vitest';
import { respelled } from './support/respelled.js';

it('a respelled JSON text has the same value and, mostly, another text', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.json({ stringUnit: 'grapheme' }), fc.nat(), (json, seed) => {
      const text = respelled(json, seed);
      const sent = Buffer.from(text).toString(); // halves of pairs do not survive UTF-8
      expect(JSON.parse(sent.replace(/^\ufeff/, ''))).toEqual(JSON.parse(json));
      if (text.startsWith('\ufeff')) seen.add('mark');
      if (/\\u00/i.test(text)) seen.add('escape');
      if (/[,:{[]\s/.test(text)) seen.add('space');
    }),
    { numRuns: 1_000 },
  );
  expect([...seen].sort()).toEqual(['escape', 'mark', 'space']);
});
