import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileRuleSet } from '../../../core/rules/compile.js';
import type { CompiledRuleSet, Output } from '../../../core/rules/compile.js';
import { Meaning, fieldsOf } from '../../../core/rules/meaning.js';
import { parseRuleSet } from '../../../core/rules/parse.js';
import { AD_FIELD, DEFAULT_RULE_SET } from '../../../core/rules/rule-set.js';
import { textOfField } from '../../../core/rules/value-text.js';
import { fieldValue } from '../../../core/click/parse.js';
import type { FieldValue } from '../../../core/click/click.js';
import { ruleSets } from '../../contract/support/rule-sets.js';
import { ADS, FIELD_TEXTS } from '../../contract/support/vocabulary.js';

/** Fields of a click by name: texts of their own mostly, else anything. */
const clickFields: fc.Arbitrary<Readonly<Record<string, FieldValue>>> = fc
  .tuple(
    ...Object.entries(FIELD_TEXTS).map(([name, texts]) =>
      fc
        .oneof(
          { weight: 5, arbitrary: fc.constantFrom(...texts) },
          { weight: 2, arbitrary: fc.constantFrom(null, 7, 'x'.repeat(300), 'é'.repeat(3000)) },
          { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 5 }) },
        )
        .map((json) => [name, fieldValue(json)] as const),
    ),
    fc.constantFrom(...ADS).map((ad) => [AD_FIELD, fieldValue(ad)] as const),
  )
  .map((entries) => Object.fromEntries(entries));

/** What the outputs of a compiled rule set say of a click, from the texts of its columns. */
function outputsOf(compiled: CompiledRuleSet, fields: Readonly<Record<string, FieldValue>>) {
  const texts = compiled.columns.map(({ field, of }) => of(textOfField(fields[field]!)));
  const say = ({ columns, of }: Output): string => of(columns.map((column) => texts[column]!));
  return {
    filters: ['', ...compiled.dimensions.map(say)],
    reason: (compiled.verdict === null ? '' : say(compiled.verdict)) || null,
  };
}

describe('a compiled rule set', () => {
  test('says of every click what the meaning says, by functions of one field each', () => {
    let reasons = 0;
    fc.assert(
      fc.property(ruleSets, fc.array(clickFields, { minLength: 1 }), (ruleSet, clicks) => {
        const compiled = compileRuleSet(ruleSet);
        const meaning = new Meaning(ruleSet);
        for (const fields of clicks) {
          const wanted = meaning.judge((name) => fields[name]!);
          expect(outputsOf(compiled, fields)).toEqual(wanted);
          if (wanted.reason !== null) reasons++;
        }
      }),
      { numRuns: 1_000 },
    );
    expect(reasons).toBeGreaterThan(200);
  });

  test('reads the fields that the rule set reads, and the ad', () => {
    fc.assert(
      fc.property(ruleSets, (ruleSet) => {
        const { columns, caps } = compileRuleSet(ruleSet);
        const read = new Set([...columns, ...caps].map(({ field }) => field));
        read.delete(AD_FIELD);
        const known = new Set(fieldsOf(ruleSet));
        for (const field of read) expect(known).toContain(field);
      }),
    );
  });

  test('names each column of an output once, and each output by its columns alone', () => {
    fc.assert(
      fc.property(ruleSets, (ruleSet) => {
        const { columns, dimensions, verdict } = compileRuleSet(ruleSet);
        for (const output of verdict === null ? dimensions : [...dimensions, verdict]) {
          expect(new Set(output.columns).size).toBe(output.columns.length);
          for (const column of output.columns) expect(columns[column]).toBeDefined();
        }
      }),
    );
  });

  test('by default has a column per dimension, and nothing that takes clicks out', () => {
    const { columns, dimensions, verdict, caps } = compileRuleSet(DEFAULT_RULE_SET);
    expect(columns.map(({ field }) => field)).toEqual(['country', 'device', 'ad_format']);
    expect(columns.map(({ of }) => of('UK'))).toEqual(['country:GB', 'device:UK', 'format:UK']);
    expect(dimensions.map((one) => one.columns)).toEqual([[0], [1], [2]]);
    expect([verdict, caps]).toEqual([null, []]);
  });

  test('cuts a cross where its parts depend on one field: few texts stand for many', () => {
    const match = [{ pattern: '(?i)iphone', as: 'phone' }];
    const ruleSet = parseRuleSet({
      version: 1,
      values: [
        { name: 'agent', field: 'user_agent', match },
        { name: 'land', field: 'country', case: 'upper' },
      ],
      dimensions: [{ name: 'both', cross: ['land', 'agent'] }],
      filters: [{ reason: 'none', when: [{ value: 'agent', missing: true }] }],
    });
    const { columns, dimensions } = compileRuleSet(ruleSet);
    const [land, agent] = dimensions[0]!.columns.map((column) => columns[column]!);
    expect([land!.field, agent!.field]).toEqual(['country', 'user_agent']);
    expect(['iPhone 14', 'iPhone 15', 'curl'].map(agent!.of)).toEqual(['phone', 'phone', '']);
    expect(dimensions[0]!.of(['US', ''])).toBe('both:US×unknown');
  });

  test('has the caps in the order of the filters', () => {
    const cap = (field: string, max: number) => ({ reason: `per_${field}`, cap: { field, max } });
    const when = [{ field: 'x', missing: true }];
    const filters = [cap('b', 2), { reason: 'x', when }, cap('a', 1)];
    const { caps } = compileRuleSet(parseRuleSet({ version: 1, filters, dimensions: [] }));
    expect(caps).toEqual([
      { reason: 'per_b', field: 'b', max: 2 },
      { reason: 'per_a', field: 'a', max: 1 },
    ]);
  });
});
