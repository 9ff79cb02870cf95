import { existsSync } from 'node:fs';
import { findRuleSet } from '../api/answers/rules.js';
import { TruecountError } from '../core/errors.js';
import { hashRuleSet, type RuleSet } from '../core/rules/rule-set.js';
import { readRuleFile } from '../runtime/rules/rule-file.js';
import type { Reader } from '../store/read/connection.js';
import type { RuleVersion } from '../store/rule-versions.js';

/** A rule set that somebody named. */
export interface NamedRules {
  readonly hash: string;
  readonly ruleSet: RuleSet;
  /** The file that it was read from; null: it is stored. */
  readonly file: string | null;
  /** The versions that put it in force; of a file nobody asks. */
  readonly versions: readonly RuleVersion[];
}

/** Runs a question on the configured database: only what is stored needs one. */
export type Ask = <T>(use: (reader: Reader) => Promise<T>) => Promise<T>;

const VERSION_OR_HASH = /^([1-9]\d{0,8}|[0-9a-f]{64})$/;

/**
 * Finds a rule set by the number of a version, by its hash, or in a YAML or JSON file. A file whose
 * name looks like one of them is named with its folder, `./2`.
 * @throws TruecountError `not_found`, `invalid_rule_set`, `invalid_argument`, those of a read
 */
export async function rulesNamed(name: string, ask: Ask): Promise<NamedRules> {
  if (VERSION_OR_HASH.test(name)) {
    return { ...(await ask((reader) => findRuleSet(reader, name))), file: null };
  }
  if (!existsSync(name)) {
    throw new TruecountError('not_found', `${name}: no version, no hash, and no such file`, {
      hint: 'the number of a version (truecount rules list), 64 hex digits, or a YAML or JSON file',
    });
  }
  const ruleSet = readRuleFile(name);
  return { hash: hashRuleSet(ruleSet), ruleSet, file: name, versions: [] };
}
