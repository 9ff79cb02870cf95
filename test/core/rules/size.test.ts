import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ruleSetBody, type RuleSet } from '../../../core/rules/rule-set.js';
import { checkSize } from '../../../core/rules/size.js';
import { ruleSets } from '../../contract/support/rule-sets.js';
import { refusal } from './refusal.js';

it('a rule set may have as many bytes as its body, and not one less', () => {
  fc.assert(
    fc.property(
      ruleSets.filter(({ dimensions }) => dimensions.length > 0),
      (ruleSet) => {
        const bytes = Buffer.byteLength(ruleSetBody(ruleSet));
        checkSize(ruleSet, bytes);
        expect(refusal(() => checkSize(ruleSet, bytes - 1)).code).toBe('invalid_rule_set');
      },
    ),
  );
});

it('the largest part of one that is too large is named, with its bytes', () => {
  const part = (name: string, to: string) => ({ name, field: 'é', map: { a: to } });
  const ruleSet: RuleSet = {
    version: 1,
    values: [part('small', 'x'), part('large', 'ä'.repeat(60))],
    dimensions: [part('other', 'x'.repeat(100))],
  };
  const [all, large] = [ruleSet, ruleSet.values![1]].map((one) =>
    String(Buffer.byteLength(JSON.stringify(one))),
  );
  expect(refusal(() => checkSize(ruleSet, 200)).context).toEqual({
    place: 'values[1]',
    reason: `has ${large!} bytes of the ${all!} of the rule set, of which at most 200 fit`,
  });
});
