import type { PutRuleSet } from '../../api/answers/rules-put.js';
import { putRuleSet, type PutRules } from '../../store/rule-versions.js';
import type { Config } from '../config.js';
import { withDatabase } from '../database.js';

/** A put that waits longer for a publication is given up: who asked waits for it. */
const STATEMENT_TIMEOUT_MS = 10_000;

/** Puts rule sets in force on the configured Postgres, for the API: one after the other. */
export function rulePuts(config: Config): PutRuleSet {
  let last: Promise<unknown> = Promise.resolve();
  return async (wanted) => {
    const put = last.then(() => putOne(config, wanted));
    last = put.catch(() => undefined);
    return put;
  };
}

async function putOne(config: Config, wanted: Parameters<PutRuleSet>[0]): Promise<PutRules> {
  return withDatabase(config, async (client) => {
    await client.query("select set_config('statement_timeout', $1, false)", [
      String(STATEMENT_TIMEOUT_MS),
    ]);
    return putRuleSet(client, wanted);
  });
}
