import { expect, test } from 'vitest';
import { createClickView } from '../../core/click/view.js';
import type { ClickView } from '../../core/click/view.js';
import { parseRuleSet } from '../../core/rules/parse.js';
import { RuleBook } from '../../stream/rule-book.js';

const FIELDS = Array.from({ length: 15 }, (_, i) => `f${String(i)}`);

function bookOf(versions: number): RuleBook {
  return new RuleBook(
    Array.from({ length: versions }, (_, version) => ({
      hash: `v${String(version)}`,
      ruleSet: parseRuleSet({
        version: 1,
        dimensions: [
          ...FIELDS.map((field) => ({ name: field, field })),
          { name: 'both', cross: ['f0', 'f1'] },
        ],
      }),
    })),
  );
}

function viewOf(text: string): ClickView {
  const view = createClickView(FIELDS.length);
  view.source = Buffer.from(`"${text}", and what follows`);
  view.fieldStart.fill(1);
  view.fieldEnd.fill(1 + Buffer.byteLength(text));
  return view;
}

test('a rule set is compiled when it is needed, and takes nothing before it has seen texts', () => {
  const book = bookOf(500);
  expect(book.bytes).toBe(0);
  expect(book.has('v499')).toBe(true);
  expect(book.has('v500')).toBe(false);
  expect(book.rulesOf('v7')).toBe(book.rulesOf('v7'));
  expect(book.rulesOf('v7')).not.toBe(book.rulesOf('v8'));
  expect(Object.is(book.bytes, 0)).toBe(true);
});

test('what texts have taken is given back, however many there were', () => {
  const book = bookOf(1);
  const rules = book.rulesOf('v0');
  const filters = new Int32Array(16);
  for (let i = 0; i < 20_000; i++) rules.judge(viewOf(`value number ${String(i)}`), filters, 0, 16);
  expect(book.bytes).toBeGreaterThan(10_000_000);
  book.reset();
  expect(book.bytes).toBe(0);
  rules.judge(viewOf('DE'), filters, 0, 16);
  const texts = Array.from(filters, (filter) => book.filters.texts.toString(filter));
  expect(texts.slice(0, 2)).toEqual(['f0:DE', 'f1:DE']);
  expect(texts[15]).toContain('both:');
});
