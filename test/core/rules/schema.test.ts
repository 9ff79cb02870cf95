import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { parseRuleSet } from '../../../core/rules/parse.js';
import { DEFAULT_RULE_SET } from '../../../core/rules/rule-set.js';
import { packageFile } from '../../../runtime/package-root.js';
import { damaged } from '../../contract/support/damaged.js';
import { ruleSets } from '../../contract/support/rule-sets.js';

const schema = JSON.parse(
  readFileSync(packageFile('docs', 'reference', 'rule-set.schema.json'), 'utf8'),
) as object;
const accepts = new Ajv2020({ strict: true, strictRequired: false }).compile(schema);

function isRefused(body: unknown): boolean {
  try {
    parseRuleSet(body);
    return false;
  } catch {
    return true;
  }
}

describe('docs/reference/rule-set.schema.json', () => {
  it('accepts the built-in rule set, and every one that is not refused', () => {
    expect(accepts(DEFAULT_RULE_SET)).toBe(true);
    fc.assert(
      fc.property(ruleSets, (ruleSet) => {
        expect(accepts(ruleSet), JSON.stringify(accepts.errors)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('refuses nothing that is not refused: what it refuses is no rule set', () => {
    let refused = 0;
    const junk = fc.oneof(
      fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 257, '', 'x', 'A', [], {}, ['a'], 1e13),
      fc.string({ maxLength: 300 }),
    );
    fc.assert(
      fc.property(ruleSets, fc.nat(9_999), junk, fc.nat(2), (ruleSet, at, by, how) => {
        const body = damaged(ruleSet, at, by, how);
        if (accepts(body)) return;
        refused++;
        expect(isRefused(body), JSON.stringify(accepts.errors)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
    expect(refused).toBeGreaterThan(200);
  });

  it('accepts examples/rules.yaml as it is written, with its table in a file', () => {
    const text = readFileSync(packageFile('examples', 'rules.yaml'), 'utf8');
    expect(accepts(parseYaml(text)), JSON.stringify(accepts.errors)).toBe(true);
  });

  it.each([
    ['another version', { version: 2, dimensions: [] }],
    ['two sources', { version: 1, dimensions: [{ name: 'a', field: 'a', value: 'b' }] }],
    ['no source', { version: 1, dimensions: [{ name: 'a' }] }],
    ['a filter without an if', { version: 1, dimensions: [], filters: [{ reason: 'a' }] }],
    ['an unknown member', { version: 1, dimensions: [{ name: 'a', field: 'a', upper: true }] }],
    ['the event id', { version: 1, dimensions: [{ name: 'a', field: 'event_id' }] }],
    ['NUL in a pattern', { version: 1, dimensions: [], filters: [matching('a\u0000b')] }],
    ['a dimension too many', { version: 1, dimensions: Array.from({ length: 17 }, dimension) }],
  ])('refuses %s, as the parser does', (_what, body) => {
    expect(accepts(body)).toBe(false);
    expect(isRefused(body)).toBe(true);
  });
});

function dimension(_: unknown, i: number): object {
  return { name: `d${String(i)}`, field: 'f' };
}

function matching(pattern: string): object {
  return { reason: 'r', when: [{ field: 'f', matches: pattern }] };
}
