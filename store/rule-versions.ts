import type pg from 'pg';
import { TruecountError } from '../core/errors.js';
import { formatTime } from '../core/range.js';
import type { RuleSet } from '../core/rules/rule-set.js';
import { supersededBy } from '../core/rules/versions.js';
import type { RulesInForce, SupersededVersion } from '../core/rules/versions.js';
import { HOUR_MS, hourOf } from '../core/time.js';
import { appendEntry, lockHead } from './publish/ledger.js';
import { inTransaction } from './publish/transaction.js';
import { storeRuleSet } from './rule-sets.js';

/** A rule set that was put in force, by whom and why. */
export interface RuleVersion extends RulesInForce {
  readonly author: string;
  readonly reason: string;
  readonly putAtMs: number;
  /** Number of its entry in the ledger; null: it was there from the beginning. */
  readonly publication: number | null;
}

/** What is to come into force. */
export interface RulesToPut {
  readonly ruleSet: RuleSet;
  /** First millisecond of its first hour; left out: the first hour that nobody has begun to count. */
  readonly sinceMs?: number;
  readonly author: string;
  readonly reason: string;
  /** The newest version as its author knows it; left out: whichever it is. */
  readonly expect?: number;
}

export interface PutRules {
  readonly version: RuleVersion;
  /** It was the newest already. */
  readonly existed: boolean;
  /** What it took, when it was put, from those in force then. */
  readonly superseded: readonly SupersededVersion[];
}

interface VersionRow {
  version: number;
  hash: string;
  since: Date | null;
  author: string;
  reason: string;
  put_at: Date;
  publication: string | null;
}

/** All versions, ascending. */
export async function listRuleVersions(reader: pg.ClientBase | pg.Pool): Promise<RuleVersion[]> {
  const { rows } = await reader.query<VersionRow>(
    'select version, hash, since, author, reason, put_at, publication from rule_versions order by 1',
  );
  return rows.map((row) => ({
    version: row.version,
    hash: row.hash,
    sinceMs: row.since?.getTime() ?? null,
    author: row.author,
    reason: row.reason,
    putAtMs: row.put_at.getTime(),
    publication: row.publication === null ? null : Number(row.publication),
  }));
}

/** The number of the newest version; 0: there is none. */
export async function newestRuleVersion(reader: pg.ClientBase | pg.Pool): Promise<number> {
  const { rows } = await reader.query<{ newest: number }>(
    'select coalesce(max(version), 0) as newest from rule_versions',
  );
  return rows[0]!.newest;
}

/** Makes a rule set the first version, for all hours, if there is none yet. */
export async function beginWithRuleSet(
  client: pg.ClientBase | pg.Pool,
  ruleSet: RuleSet,
): Promise<void> {
  const { hash } = await storeRuleSet(client, ruleSet);
  await client.query(
    `insert into rule_versions (version, hash, author, reason)
     values (1, $1, 'configuration', 'the first rule set') on conflict (version) do nothing`,
    [hash],
  );
}

/**
 * Puts a rule set in force, with an entry in the ledger. Hours that have a row keep their pin; those
 * from `sinceMs` on that come to have one get this. Asking twice for the newest changes nothing, whatever
 * was expected.
 * @throws TruecountError `conflict` as `planPut`; `invalid_argument` for a time that is no hour, or
 * words that the ledger does not take
 */
export async function putRuleSet(
  client: pg.Client,
  { ruleSet, sinceMs, author, reason, expect }: RulesToPut,
): Promise<PutRules> {
  if (sinceMs !== undefined && hourOf(sinceMs) !== sinceMs) {
    throw new TruecountError('invalid_argument', `${formatTime(sinceMs)} is not a full hour`, {
      hint: 'a rule set comes into force at the beginning of an hour',
    });
  }
  return inTransaction<PutRules>(client, async () => {
    const head = await lockHead(client);
    const { hash } = await storeRuleSet(client, ruleSet);
    const planned = await planPut(client, hash, sinceMs, expect);
    const { superseded } = planned;
    if (planned.newest !== null) {
      return { keep: false, value: { version: planned.newest, existed: true, superseded } };
    }
    const { number } = planned;
    const since = new Date(planned.sinceMs);
    await appendEntry(client, head, {
      ...{ kind: 'rules', request: `rules v${String(number)}`, actor: author, reason, hours: [] },
      rules: { version: number, rule_set: hash, since: formatTime(since.getTime()) },
    });
    await client.query(
      `insert into rule_versions (version, hash, since, author, reason, publication)
       values ($1, $2, $3, $4, $5, $6)`,
      [number, hash, since, author, reason, head.publication],
    );
    const version = (await listRuleVersions(client)).at(-1)!;
    return { keep: true, value: { version, existed: false, superseded } };
  });
}

/** What putting a rule set comes to: the version that is the newest already, or the next one. */
export type PlannedPut = Pick<PutRules, 'superseded'> &
  (
    | { readonly newest: RuleVersion }
    | { readonly newest: null; readonly number: number; readonly sinceMs: number }
  );

/**
 * Says what a put would come to, now.
 * @throws TruecountError `conflict` where another version than the expected one is the newest; those of
 * a read
 */
export async function planPut(
  reader: pg.ClientBase | pg.Pool,
  hash: string,
  sinceMs: number | undefined,
  expect: number | undefined,
): Promise<PlannedPut> {
  const versions = await listRuleVersions(reader);
  const newest = versions.at(-1);
  if (newest?.hash === hash && (sinceMs === undefined || newest.sinceMs === sinceMs)) {
    const before = versions.slice(0, -1);
    const { sinceMs: begun } = newest;
    return { newest, superseded: begun === null ? [] : supersededBy(before, begun) };
  }
  if (expect !== undefined && expect !== (newest?.version ?? 0)) {
    throw notExpected(expect, newest);
  }
  const number = versions.length + 1;
  const fromMs = sinceMs ?? (await firstUncounted(reader));
  return { newest: null, number, sinceMs: fromMs, superseded: supersededBy(versions, fromMs) };
}

function notExpected(expect: number, newest: RuleVersion | undefined): TruecountError {
  const is = newest === undefined ? 'there is none' : `it is ${String(newest.version)}`;
  const by = newest === undefined ? '' : `, put by ${newest.author}: ${newest.reason}`;
  return new TruecountError('conflict', `version ${String(expect)} is not the newest: ${is}${by}`, {
    hint: 'look at what it changes (`truecount rules diff`), and put again expecting it',
    context: { expected: expect, newest: newest?.version ?? null },
  });
}

/** The hour after the newest that has a row, and after the one that runs. */
async function firstUncounted(reader: pg.ClientBase | pg.Pool): Promise<number> {
  const { rows } = await reader.query<{ newest: Date }>(
    `select greatest(max(hour), date_trunc('hour', clock_timestamp(), 'UTC')) as newest from hours`,
  );
  return rows[0]!.newest.getTime() + HOUR_MS;
}
