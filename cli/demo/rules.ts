import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import type { Fix } from './sql-truth.js';

/** The built-in rule set without what it maps: somebody forgot that `UK` is `GB`. */
export const FIRST_RULES: RuleSet = {
  version: 1,
  dimensions: DEFAULT_RULE_SET.dimensions.map(({ map: _, ...dimension }) => dimension),
};

/** The same with the fix. */
export function fixedRules({ dimension, from, to }: Fix): RuleSet {
  return {
    version: 1,
    dimensions: FIRST_RULES.dimensions.map((one) =>
      one.name === dimension ? { ...one, map: { [from]: to } } : one,
    ),
  };
}
