import { expect, it } from 'vitest';
import { PATTERN_SIZE_MAX } from '../../../core/rules/pattern-budget.js';
import { patternSize } from '../../../core/rules/pattern.js';
import { parseRuleSet } from '../../../core/rules/parse.js';

const PATTERN = '(?i)bot|crawler|spider';
const FIT = Math.floor(PATTERN_SIZE_MAX / patternSize(PATTERN));

const value = (name: string, patterns: number) => ({
  name,
  field: 'user_agent',
  match: Array.from({ length: patterns }, () => ({ pattern: PATTERN, as: 'robot' })),
});

/** Dimensions with so many patterns together. */
function dimensions(patterns: number): object[] {
  const each = Array.from({ length: Math.ceil(patterns / 100) }, (_, i) =>
    Math.min(100, patterns - i * 100),
  );
  return each.map((n, i) => value(`d${String(i)}`, n));
}

const parse = (ruleSet: object): unknown =>
  parseRuleSet({ version: 1, dimensions: [{ name: 'c', field: 'country' }], ...ruleSet });

it('as many patterns as a click can afford are taken, and one more is refused with its place', () => {
  expect(() => parse({ dimensions: dimensions(FIT) })).not.toThrow();
  expect(() => parse({ dimensions: dimensions(FIT + 1) })).toThrow(
    /dimensions\[\d\]\.match\[\d+\]\.pattern makes the patterns .* larger than 10000/,
  );
});

it('what is repeated counts as if it were written out', () => {
  const large = '(?:[a-c]?[b-d]?x){900}';
  const filters = [1, 2, 3].map((n) => ({
    reason: `r${String(n)}`,
    when: [{ field: 'f', matches: `${large}${String(n)}` }],
  }));
  expect(() => parse({ filters: filters.slice(0, 1) })).not.toThrow();
  expect(() => parse({ filters })).toThrow(/filters\[\d\]\.when\[0\]\.matches makes the patterns/);
});

it('the patterns of a value count once for each dimension and condition made of it', () => {
  const values = [value('agent', 100), { name: 'both', cross: ['agent', 'agent'] }];
  const uses = Math.floor(FIT / 200);
  const made = (n: number) => ({
    values,
    filters: [{ reason: 'robot', when: [{ value: 'both', in: ['robot×robot'] }] }],
    dimensions: Array.from({ length: n }, (_, i) => ({ name: `d${String(i)}`, value: 'both' })),
  });
  expect(() => parse(made(uses - 2))).not.toThrow();
  expect(() => parse(made(uses))).toThrow(/filters\[0\]\.when\[0\] makes the patterns|dimensions/);
});
