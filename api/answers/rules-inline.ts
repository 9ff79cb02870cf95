import { TruecountError } from '../../core/errors.js';
import { parseRuleSet } from '../../core/rules/parse.js';
import type { RuleSet } from '../../core/rules/rule-set.js';

/** Bytes of a body with a rule set in it: a table of 200,000 rows of 80 bytes. */
export const RULES_BODY_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Reads a rule set from the body of a request, its tables with their rows. A table that is a file is
 * refused: the files of a service are not those of who asks.
 * @throws TruecountError `invalid_rule_set` with the place
 */
export function inlineRuleSet(body: unknown): RuleSet {
  const tables = isObject(body) ? body['tables'] : undefined;
  const entries = isObject(tables) ? Object.entries(tables) : [];
  const byFile = entries.find(([, table]) => isObject(table) && 'file' in table);
  if (byFile === undefined) return parseRuleSet(body);
  const place = `tables[${JSON.stringify(byFile[0])}]`;
  const reason = 'is a file, which a request cannot name';
  throw new TruecountError('invalid_rule_set', `invalid rule set: ${place} ${reason}`, {
    hint: 'give key, columns and rows; `truecount rules show FILE --json` puts the rows in its body',
    context: { place, reason },
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
