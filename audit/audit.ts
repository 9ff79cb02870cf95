import type pg from 'pg';
import type { TimeRange } from '../core/range.js';
import type { RuleSet } from '../core/rules/rule-set.js';
import { ARCHIVE_CHECKS } from './archive-checks.js';
import { CONSERVATION_CHECKS } from './conservation.js';
import { GENERATION_CHECKS } from './generation-checks.js';
import { auditGenerations, readGenerations } from './generations.js';
import { HOUR_CHECKS } from './hour-checks.js';
import { auditLake } from './lake-audit.js';
import type { AuditLake } from './lake-port.js';
import { auditLedger } from './ledger-audit.js';
import type { ReadLog } from './log-reader.js';
import { auditPartition } from './partition-audit.js';
import { PUBLISH_CHECKS } from './publish-checks.js';
import {
  INVARIANTS,
  plural,
  reportOf,
  type AuditReport,
  type Check,
  type Invariant,
} from './report.js';
import { beginSnapshot, readSnapshot } from './snapshot.js';
import { runSqlCheck, type Scope, type SqlCheck } from './sql-check.js';
import { suiteChecks } from './suites.js';
import { LogTally, withoutLog } from './tally.js';

export interface AuditOptions {
  /** One of its connections is used. */
  readonly pool: pg.Pool;
  /** Null: the log is not read, and what needs it is reported as unchecked. */
  readonly readLog: ReadLog | null;
  /** Null: the lake is not read, and what needs it is reported as unchecked. */
  readonly lake: AuditLake | null;
  /** Whole event hours; without it, all of them. Checks by offset always look at everything. */
  readonly range?: TimeRange | undefined;
  /** Also generations that do not serve any more, or never did. Default false. */
  readonly allGenerations?: boolean;
  /** How many generations are counted again from the lake, chosen at random. Default 0. */
  readonly recompute?: number;
  /** In [0, 1): chooses them. Default Math.random. */
  readonly random?: () => number;
  /** Told now and then what is being done. */
  readonly onProgress?: (what: string) => void;
}

/** Checks that Postgres can answer alone. */
export const SQL_CHECKS: readonly SqlCheck[] = [
  ...CONSERVATION_CHECKS,
  ...HOUR_CHECKS,
  ...ARCHIVE_CHECKS,
  ...GENERATION_CHECKS,
  ...PUBLISH_CHECKS,
];

const ORDER = Object.keys(INVARIANTS) as Invariant[];

/**
 * Checks the invariants that are checks of state, in one REPEATABLE READ snapshot that is open
 * until the log was read up to the positions in it: a live system may go on counting meanwhile.
 *
 * Memory: one partition at a time, its distinct ids and its cells within the range; Postgres rows
 * are read a few thousand at a time. docs/how-to/audit.md has figures.
 *
 * Throws what `pg` throws, and what `readLog` throws except `not_found`: that makes checks unchecked.
 */
export async function audit(options: AuditOptions): Promise<AuditReport> {
  const { pool, readLog, range } = options;
  const scope: Scope = { range, allGenerations: options.allGenerations ?? false };
  const progress = options.onProgress ?? ((): void => undefined);
  const client = await pool.connect();
  try {
    await beginSnapshot(client);
    const { snapshot, ruleSetCheck } = await readSnapshot(client, range);
    const checks: Check[] = [ruleSetCheck];
    for (const check of SQL_CHECKS) {
      progress(`checking ${check.invariant} ${check.name}`);
      checks.push(await runSqlCheck(client, check, scope));
    }
    checks.push(...(await auditPublished(client, scope, snapshot.ruleSets, options, progress)));
    if (readLog === null) checks.push(...withoutLog());
    else {
      const tally = new LogTally();
      for (const partition of snapshot.partitions) {
        progress(`counting ${partition.topic}/${String(partition.partition)} again`);
        await auditPartition({ client, snapshot, range, tally }, partition, readLog);
      }
      checks.push(...tally.checks());
    }
    checks.push(...suiteChecks());
    return reportOf(sorted(checks));
  } finally {
    await client.query('rollback').catch(() => undefined);
    client.release();
  }
}

/** The ledger, and generations against their checksums and against the lake. */
async function auditPublished(
  client: pg.ClientBase,
  scope: Scope,
  ruleSets: ReadonlyMap<string, RuleSet>,
  options: AuditOptions,
  onProgress: (what: string) => void,
): Promise<Check[]> {
  onProgress('checking the ledger');
  const checks = await auditLedger(client, scope);
  const generations = await readGenerations(client, scope);
  onProgress(`adding up ${plural(generations.length, 'generation')}`);
  checks.push(...(await auditGenerations(client, generations)));
  const { lake, recompute = 0, random = Math.random } = options;
  const lakeOptions = { lake, recompute, random, onProgress };
  checks.push(...(await auditLake(client, generations, ruleSets, lakeOptions)));
  return checks;
}

/** By invariant, the broken first within each. */
function sorted(checks: readonly Check[]): Check[] {
  const rank = { broken: 0, ok: 1, unchecked: 2 } as const;
  return [...checks].sort(
    (a, b) =>
      ORDER.indexOf(a.invariant) - ORDER.indexOf(b.invariant) || rank[a.status] - rank[b.status],
  );
}
