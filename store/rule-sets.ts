import type pg from 'pg';
import { TruecountError } from '../core/errors.js';
import { parseRuleSet } from '../core/rules/parse.js';
import { hashRuleSet, ruleSetBody } from '../core/rules/rule-set.js';
import type { RuleSet } from '../core/rules/rule-set.js';

/** A rule set with the hash that hours pin. */
export interface StoredRuleSet {
  readonly hash: string;
  readonly ruleSet: RuleSet;
}

/** Stores a rule set under its hash; no hour pins it because of that. */
export async function storeRuleSet(
  client: pg.ClientBase | pg.Pool,
  ruleSet: RuleSet,
): Promise<StoredRuleSet> {
  const hash = hashRuleSet(ruleSet);
  await client.query(
    'insert into rule_sets (hash, body) values ($1, $2) on conflict (hash) do nothing',
    [hash, ruleSetBody(ruleSet)],
  );
  return { hash, ruleSet };
}

/** Rule sets by hash; throws not_found if one of them is not stored. */
export async function loadRuleSets(
  client: pg.ClientBase | pg.Pool,
  hashes: readonly string[],
): Promise<StoredRuleSet[]> {
  if (hashes.length === 0) return [];
  const { rows } = await client.query<{ hash: string; body: unknown }>(
    'select hash, body from rule_sets where hash = any ($1)',
    [hashes],
  );
  const missing = hashes.filter((hash) => !rows.some((row) => row.hash === hash));
  if (missing.length > 0) {
    throw new TruecountError('not_found', `rule set ${missing.join(', ')} is not stored`);
  }
  return rows.map(({ hash, body }) => ({ hash, ruleSet: checked(hash, parseRuleSet(body)) }));
}

/** What is counted by a hash is what the hash is of (I10). */
function checked(hash: string, ruleSet: RuleSet): RuleSet {
  if (hashRuleSet(ruleSet) === hash) return ruleSet;
  throw new TruecountError(
    'invariant_broken',
    `rule set ${hash} is not what its hash was made of`,
    {
      hint: 'somebody changed the database by hand: truecount audit tells what it concerns',
      context: { hash },
    },
  );
}
