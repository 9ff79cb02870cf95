import type pg from 'pg';
import type { LedgerBody } from '../core/ledger.js';
import { formatTime } from '../core/range.js';
import { rowsOf } from './cursor.js';
import type { Ledger } from './ledger-entries.js';
import { Findings, findingsCheck, type Check } from './report.js';
import { exactNumber } from './sql-check.js';

interface VersionRow {
  version: number;
  hash: string;
  since: Date | null;
  author: string;
  reason: string;
  publication: string | null;
}

/**
 * Which rules were put in force, from when on, by whom and why: the versions and the ledger's entries
 * about them, both ways. The first is the configured one and has no entry. Not limited by the range.
 */
export async function auditRuleVersions(
  client: pg.ClientBase,
  { bodies, faults }: Ledger,
): Promise<Check> {
  const findings = new Findings();
  const entries = new Map(
    [...bodies.values()]
      .filter(({ kind }) => kind === 'rules')
      .map((one) => [one.publication, one]),
  );
  let versions = 0;
  for await (const row of versionRows(client)) {
    versions += 1;
    const { version, publication: at } = row;
    const publication = at === null ? null : exactNumber(at);
    const entry = publication === null ? undefined : entries.get(publication);
    if (publication !== null) entries.delete(publication);
    if (publication !== null && faults.has(publication)) continue;
    const problem = versionProblem(row, versions, entry);
    if (problem !== null) findings.add(() => ({ version, publication, problem }));
  }
  for (const [publication, { rules }] of entries) {
    const problem = 'an entry names it: it is gone';
    findings.add(() => ({ version: rules?.version ?? null, publication, problem }));
  }
  return findingsCheck(
    'I11',
    'rule_versions',
    findings,
    { 'rule versions': versions },
    {
      holds: 'every rule set in force has the ledger entry that names its hour, author and reason',
    },
  );
}

function versionProblem(
  row: VersionRow,
  number: number,
  entry: LedgerBody | undefined,
): string | null {
  if (row.version !== number)
    return `a version before it is missing: it should be ${String(number)}`;
  if (number === 1 && row.publication === null) return null;
  if (entry?.rules === undefined) return 'no entry names it';
  const { rules, actor, reason } = entry;
  if (rules.version !== row.version) return 'its entry is of another version';
  if (rules.rule_set !== row.hash) return 'its entry names another rule set';
  if (row.since === null || rules.since !== formatTime(row.since.getTime())) {
    return 'its entry names another hour';
  }
  return actor === row.author && reason === row.reason
    ? null
    : 'its entry names another author or reason';
}

function versionRows(client: pg.ClientBase): AsyncGenerator<VersionRow, void> {
  return rowsOf<VersionRow>(
    client,
    'select version, hash, since, author, reason, publication from rule_versions order by version',
    [],
  );
}
