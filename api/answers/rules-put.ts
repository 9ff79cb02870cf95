import Type, { type Static } from 'typebox';
import { TruecountError } from '../../core/errors.js';
import { LEDGER_WORDS_MAX, ledgerWords } from '../../core/ledger-words.js';
import { formatTime, parseHour } from '../../core/range.js';
import type { SupersededVersion } from '../../core/rules/versions.js';
import { hashRuleSet, type RuleSet } from '../../core/rules/rule-set.js';
import { readError, type Reader } from '../../store/read/connection.js';
import { planPut } from '../../store/rule-versions.js';
import type { PutRules, RulesToPut } from '../../store/rule-versions.js';
import { TimeSchema } from '../schemas.js';
import { HashSchema, VersionDocument, versionDocument } from './rules.js';
import { inlineRuleSet } from './rules-inline.js';
import {
  STALE_HOURS_MAX,
  StaleRulesDocument,
  answerStaleRules,
  answerSupposedRules,
} from './stale-rules.js';

/**
 * Puts a rule set in force, in a session that may write, as the runtime gives it to the API; throws
 * as `putRuleSet`, and `dependency_unreachable`.
 */
export type PutRuleSet = (wanted: RulesToPut) => Promise<PutRules>;

const words = (description: string, maxLength: number) =>
  Type.String({ description, minLength: 1, maxLength });

/** The body of `POST /rules`. */
export const PutRulesBody = Type.Object(
  {
    rule_set: Type.Unknown({
      description:
        'the rule set, an object: docs/reference/rule-set.schema.json; tables with their rows',
    }),
    since: Type.Optional(
      Type.String({
        description: 'first event hour; left out: the first that nobody has begun to count',
        examples: ['2026-11-18T00'],
        ...{ minLength: 1, maxLength: 64 },
      }),
    ),
    reason: words('why, for the ledger', LEDGER_WORDS_MAX.reason),
    actor: words('who, for the ledger', LEDGER_WORDS_MAX.actor),
    expect: Type.Optional(
      Type.Integer({
        description:
          'number of the newest version as you know it: where another one is, conflict; left out: ' +
          'whichever it is',
        minimum: 0,
      }),
    ),
    dry_run: Type.Optional(
      Type.Boolean({ description: 'check it, say which hours would be stale, change nothing' }),
    ),
  },
  { additionalProperties: false },
);

const superseded = Type.Array(
  Type.Object({
    version: Type.Integer({ minimum: 1 }),
    from: TimeSchema,
    to: Type.Union([TimeSchema, Type.Null()], { description: 'null: all hours that follow' }),
  }),
  { description: 'versions that were to be in force for these hours, and are not any more' },
);

export const PutRulesDocument = Type.Object(
  {
    ...VersionDocument.properties,
    existed: Type.Boolean({ description: 'it was the newest already: nothing changed' }),
    superseded,
    stale: StaleRulesDocument,
  },
  { description: 'the version, and the final hours that are stale by it' },
);

export const RehearsedRulesDocument = Type.Object(
  {
    rule_set: HashSchema,
    since: Type.Union([TimeSchema, Type.Null()], {
      description: 'the first event hour, as of now; null: all hours, as it is so already',
    }),
    existed: Type.Boolean({ description: 'it is the newest already: nothing would change' }),
    superseded,
    dry_run: Type.Literal(true),
    stale: StaleRulesDocument,
  },
  { description: 'what would be; nothing is stored' },
);

/** What is to come into force, checked. */
interface Wanted extends RulesToPut {
  readonly rehearsal: boolean;
}

/**
 * Reads what is wanted.
 * @throws TruecountError `invalid_argument`, `invalid_range`, `invalid_rule_set`
 */
export function wantedRules(body: Static<typeof PutRulesBody>): Wanted {
  return {
    reason: ledgerWords('reason', body.reason),
    author: ledgerWords('actor', body.actor),
    ...(body.since === undefined ? {} : { sinceMs: parseHour('since', body.since) }),
    ...(body.expect === undefined ? {} : { expect: body.expect }),
    ruleSet: inlineRuleSet(body.rule_set),
    rehearsal: body.dry_run === true,
  };
}

/**
 * Puts a rule set in force and answers its version.
 * @throws TruecountError those of `PutRuleSet` and of a read; `component_unavailable` without one
 */
export async function answerPut(
  reader: Reader,
  put: PutRuleSet | undefined,
  wanted: RulesToPut,
): Promise<Static<typeof PutRulesDocument>> {
  if (put === undefined) {
    throw new TruecountError('component_unavailable', 'this service only reads Postgres', {
      hint: 'npx truecount rules put FILE --reason TEXT',
    });
  }
  const made = await put(wanted).catch((error: unknown) => {
    throw readError(error);
  });
  return putDocument(reader, made, STALE_HOURS_MAX);
}

/** What was put as one document. Throws those of a read. */
export async function putDocument(
  reader: Reader,
  { version, existed, superseded }: PutRules,
  hoursMax: number,
): Promise<Static<typeof PutRulesDocument>> {
  const stale = await answerStaleRules(reader, {}, hoursMax);
  return {
    ...{ ...versionDocument(version), existed },
    ...{ superseded: superseded.map(supersededDocument), stale },
  };
}

/** Answers what putting a rule set would come to. Throws those of a read. */
export async function answerRehearsal(
  reader: Reader,
  ruleSet: RuleSet,
  { sinceMs: wantedMs, expect }: Pick<RulesToPut, 'sinceMs' | 'expect'>,
  hoursMax = STALE_HOURS_MAX,
): Promise<Static<typeof RehearsedRulesDocument>> {
  const hash = hashRuleSet(ruleSet);
  const planned = await planPut(reader, hash, wantedMs, expect);
  const existed = planned.newest !== null;
  const sinceMs = existed ? planned.newest.sinceMs : planned.sinceMs;
  const stale = await (existed || sinceMs === null
    ? answerStaleRules(reader, {}, hoursMax)
    : answerSupposedRules(reader, { hash, sinceMs }, hoursMax));
  const since = sinceMs === null ? null : formatTime(sinceMs);
  const superseded = planned.superseded.map(supersededDocument);
  return { rule_set: hash, since, existed, superseded, dry_run: true, stale };
}

function supersededDocument({ version, fromMs, toMs }: SupersededVersion) {
  return { version, from: formatTime(fromMs), to: toMs === null ? null : formatTime(toMs) };
}
