import Type, { type Static } from 'typebox';
import { TruecountError } from '../../core/errors.js';
import { formatTime } from '../../core/range.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { readError, type Reader } from '../../store/read/connection.js';
import { loadRuleSets } from '../../store/rule-sets.js';
import { listRuleVersions, type RuleVersion } from '../../store/rule-versions.js';
import { TimeSchema } from '../schemas.js';

export const HashSchema = Type.String({
  description: 'content hash of a rule set',
  pattern: '^[0-9a-f]{64}$',
});

export const VersionDocument = Type.Object({
  version: Type.Integer({ minimum: 1 }),
  rule_set: HashSchema,
  since: Type.Union([TimeSchema, Type.Null()], {
    description: 'in force for the event hours from here on, but for newer ones; null: for all',
  }),
  author: Type.String(),
  reason: Type.String(),
  put_at: TimeSchema,
  publication: Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], {
    description: 'its entry in the ledger; null: it was the first',
  }),
});

export const RulesDocument = Type.Object(
  { versions: Type.Array(VersionDocument) },
  { description: 'the versions of the rules, ascending: the newest that has begun is in force' },
);

export const RuleSetDocument = Type.Object(
  {
    rule_set: HashSchema,
    versions: Type.Array(VersionDocument, { description: 'that put it in force' }),
    body: Type.Unknown({ description: 'the rule set: docs/reference/rule-set.schema.json' }),
  },
  { description: 'a rule set with its tables, and what is known of it' },
);

/** A version as the documents tell it. */
export function versionDocument(one: RuleVersion): Static<typeof VersionDocument> {
  return {
    version: one.version,
    rule_set: one.hash,
    since: one.sinceMs === null ? null : formatTime(one.sinceMs),
    author: one.author,
    reason: one.reason,
    put_at: formatTime(one.putAtMs),
    publication: one.publication,
  };
}

/** Answers which rule sets were put in force, by whom and why. Throws those of a read. */
export async function answerRules(reader: Reader): Promise<Static<typeof RulesDocument>> {
  return { versions: (await readVersions(reader)).map(versionDocument) };
}

/** A stored rule set, and the versions that put it in force. */
export interface FoundRuleSet {
  readonly hash: string;
  readonly ruleSet: RuleSet;
  readonly versions: readonly RuleVersion[];
}

/**
 * Finds a rule set by the number of a version, or by its hash.
 * @throws TruecountError `not_found`, `invalid_argument`, those of a read
 */
export async function findRuleSet(reader: Reader, name: string): Promise<FoundRuleSet> {
  const versions = await readVersions(reader);
  const hash = hashNamed(name, versions);
  try {
    const [found] = await loadRuleSets(reader, [hash]);
    return { ...found!, versions: versions.filter((one) => one.hash === hash) };
  } catch (error) {
    throw readError(error);
  }
}

/** Answers one rule set; throws as `findRuleSet`. */
export async function answerRuleSet(
  reader: Reader,
  name: string,
): Promise<Static<typeof RuleSetDocument>> {
  const { hash, ruleSet, versions } = await findRuleSet(reader, name);
  return { rule_set: hash, versions: versions.map(versionDocument), body: ruleSet };
}

function hashNamed(name: string, versions: readonly RuleVersion[]): string {
  if (/^[0-9a-f]{64}$/.test(name)) return name;
  if (!/^[1-9]\d{0,8}$/.test(name)) {
    throw new TruecountError('invalid_argument', `${JSON.stringify(name)} names no rule set`, {
      hint: 'the number of a version, or the 64 hex digits of a hash',
    });
  }
  const found = versions.find(({ version }) => version === Number(name));
  if (found !== undefined) return found.hash;
  const newest = String(versions.at(-1)?.version ?? 0);
  throw new TruecountError('not_found', `there is no version ${name} of the rules`, {
    hint: `the newest is ${newest}`,
  });
}

async function readVersions(reader: Reader): Promise<RuleVersion[]> {
  try {
    return await listRuleVersions(reader);
  } catch (error) {
    throw readError(error);
  }
}
