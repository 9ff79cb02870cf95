import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FieldValue } from '../../../core/click/click.js';
import { dimensionOf, parseFilter } from '../../../core/rules/filter.js';
import { Meaning } from '../../../core/rules/meaning.js';
import { parseRuleSetJson } from '../../../core/rules/parse.js';
import { DEFAULT_RULE_SET, ruleSetBody } from '../../../core/rules/rule-set.js';
import type { Dimension, RuleSet } from '../../../core/rules/rule-set.js';
import { refusal } from './refusal.js';

const text = (one: string): FieldValue => ({ kind: 'value', text: one });
const judge = (ruleSet: RuleSet, fields: Readonly<Record<string, FieldValue>>) =>
  new Meaning(ruleSet).judge((name) => fields[name] ?? { kind: 'absent' });
const filterOf = (dimension: Dimension, x: FieldValue): string =>
  judge({ version: 1, dimensions: [dimension] }, { x }).filters[1]!;

describe('the filter of a field value', () => {
  const country = { name: 'country', field: 'x', map: { UK: 'GB', GB: 'XX' } };

  test.each<[FieldValue, string]>([
    [text('US'), 'country:US'],
    [text('UK'), 'country:GB'],
    [text('GB'), 'country:XX'],
    [text('a:b'), 'country:a:b'],
    [text('toString'), 'country:toString'],
    [text('__proto__'), 'country:__proto__'],
    [{ kind: 'absent' }, 'country:unknown'],
    [text('unknown'), 'country:unknown'],
    [{ kind: 'other' }, 'country:other'],
    [text('other'), 'country:other'],
  ])('%j is %s', (field, expected) => {
    expect(filterOf(country, field)).toBe(expected);
  });

  test('follows a map whose key is __proto__', () => {
    const body = '{"version":1,"dimensions":[{"name":"a","field":"f","map":{"__proto__":"x"}}]}';
    const ruleSet = parseRuleSetJson(body);
    expect(judge(ruleSet, { f: text('__proto__') }).filters).toEqual(['', 'a:x']);
    expect(ruleSetBody(ruleSet)).toContain('"map":{"__proto__":"x"}');
  });

  test('stands after the total in the filters of a click, one per dimension', () => {
    const fields = { country: text('UK'), ad_format: { kind: 'other' } } as const;
    const filters = ['', 'country:GB', 'device:unknown', 'format:other'];
    expect(judge(DEFAULT_RULE_SET, fields).filters).toEqual(filters);
    expect(filters.map(dimensionOf)).toEqual(['', 'country', 'device', 'format']);
  });
});

describe('a filter given as text', () => {
  test('is split at its first colon', () => {
    expect(parseFilter('country:US')).toEqual({ dimension: 'country', value: 'US' });
    expect(parseFilter('os:iOS:17 é')).toEqual({ dimension: 'os', value: 'iOS:17 é' });
  });

  test.each(['', 'country', ':US', 'country:', 'Country:US', 'a b:c', 'a:\0', 'a:\ud800'])(
    '%j is refused',
    (bad) => {
      const error = refusal(() => parseFilter(bad));
      expect(error.code).toBe('invalid_argument');
      expect(error.hint).toContain('country:US');
    },
  );

  test('with a value of 257 bytes is refused, without repeating all of it', () => {
    const error = refusal(() => parseFilter(`a:${'x'.repeat(100_000)}`));
    expect(error.message.length).toBeLessThan(300);
  });

  test('reads back every filter that a click can have', () => {
    const texts = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(texts, (raw) => {
        const filter = filterOf({ name: 'country', field: 'x' }, text(raw));
        expect(parseFilter(filter)).toEqual({ dimension: 'country', value: raw });
      }),
    );
  });
});
