import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TruecountError } from '../../core/errors.js';
import { parseRuleSet } from '../../core/rules/parse.js';
import { hashRuleSet, type RuleSet } from '../../core/rules/rule-set.js';
import { readRows } from '../../store/read/connection.js';
import { loadRuleSets, storeRuleSet } from '../../store/rule-sets.js';
import { damaged } from '../contract/support/damaged.js';
import { ruleSets } from '../contract/support/rule-sets.js';
import { freshDatabase, type TestDatabase } from '../support/stack.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

/** What JSON, UTF-8, a number or a document of Postgres might not carry. */
const hostile = fc.oneof(
  fc.constantFrom<unknown>('\u0000', 'a\u0000b', '\ud800', 'x\udc00', '\t', '\u007f', '\u0085'),
  fc.constantFrom<unknown>(
    '\ufeff',
    '\ufffd',
    '\uffff',
    '\u{10ffff}',
    '\\u0000',
    '\\x00',
    '"',
    '\\',
  ),
  fc.constantFrom<unknown>(-0, 1e12, -1e12, 999_999_999_999, '__proto__', { ['__proto__']: 'x' }),
  fc.string({ maxLength: 4, unit: 'grapheme' }),
);
const damages = fc.array(fc.tuple(fc.nat(99_999), hostile, fc.nat(2)), {
  minLength: 20,
  maxLength: 20,
});

function parsed(body: unknown): RuleSet | undefined {
  try {
    return parseRuleSet(body);
  } catch (error) {
    if (error instanceof TruecountError) return undefined;
    throw error;
  }
}

/** Most places of a rule set are in its tables, and those are all alike. */
function withFewRows({ tables = {}, ...rest }: RuleSet): RuleSet {
  const few = Object.entries(tables).map(
    ([name, table]) => [name, { ...table, rows: table.rows.slice(0, 2) }] as const,
  );
  return { ...rest, tables: Object.fromEntries(few) };
}

it('whatever the parser takes Postgres stores, and gives back with its hash', async () => {
  let changed = 0;
  await fc.assert(
    fc.asyncProperty(ruleSets, damages, async (given, all) => {
      let ruleSet = withFewRows(given);
      for (const [at, by, how] of all) {
        const next = parsed(damaged(ruleSet, at, by, how));
        if (next === undefined) continue;
        ruleSet = next;
        changed++;
      }
      const { hash } = await storeRuleSet(database.pool, ruleSet);
      expect(hash).toBe(hashRuleSet(ruleSet));
      expect(await loadRuleSets(database.pool, [hash])).toEqual([{ hash, ruleSet }]);
    }),
    { numRuns: 300 },
  );
  expect(changed).toBeGreaterThan(1_000);
});

it('what Postgres refuses is said as that, with its code', async () => {
  const hash = 'f'.repeat(64);
  const body = '{"a": "\\u0000"}';
  const values = [hash, body];
  const insert = 'insert into rule_sets (hash, body) values ($1, $2)';
  await expect(readRows(database.pool, 'refused', insert, values)).rejects.toMatchObject({
    ...{ code: 'internal', message: 'Postgres refused a statement (22P05)' },
  });
});
