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

/** Stores a rule set under its hash and makes it the one that new hours pin. */
export async function activateRuleSet(
  client: pg.ClientBase | pg.Pool,
  ruleSet: RuleSet,
): Promise<StoredRuleSet> {
  const { hash } = await storeRuleSet(client, ruleSet);
  await client.query(
    `insert into active_rule_set (hash) values ($1)
     on conflict (only_row) do update set hash = excluded.hash, since = now()
      where active_rule_set.hash <> excluded.hash`,
    [hash],
  );
  return { hash, ruleSet };
}

/** The rule set that new hours pin. Throws not_ready before any was activated. */
export async function activeRuleSet(client: pg.ClientBase | pg.Pool): Promise<StoredRuleSet> {
  const { rows } = await client.query<{ hash: string; body: unknown }>(
    'select hash, body from active_rule_set join rule_sets using (hash)',
  );
  const row = rows[0];
  if (row === undefined) {
    throw new TruecountError('not_ready', 'no rule set is in force yet', {
      hint: 'run `truecount migrate`: it stores the configured rule set',
    });
  }
  return { hash: row.hash, ruleSet: parseRuleSet(row.body) };
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
  return rows.map((row) => ({ hash: row.hash, ruleSet: parseRuleSet(row.body) }));
}
