import type pg from 'pg';
import type { TimeRange } from '../core/range.js';
import { CONSERVATION_CHECKS } from './conservation.js';
import { HOUR_CHECKS } from './hour-checks.js';
import type { ReadLog } from './log-reader.js';
import { auditPartition } from './partition-audit.js';
import { INVARIANTS, reportOf, type AuditReport, type Check, type Invariant } from './report.js';
import { beginSnapshot, readSnapshot } from './snapshot.js';
import { runSqlCheck } from './sql-check.js';
import { suiteChecks } from './suites.js';
import { LogTally, withoutLog } from './tally.js';

export interface AuditOptions {
  /** One of its connections is used. */
  readonly pool: pg.Pool;
  /** Null: the log is not read, and what needs it is reported as unchecked. */
  readonly readLog: ReadLog | null;
  /** Whole event hours; without it, all of them. Checks by offset always look at everything. */
  readonly range?: TimeRange | undefined;
  /** Told now and then what is being done. */
  readonly onProgress?: (what: string) => void;
}

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
  const progress = options.onProgress ?? ((): void => undefined);
  const client = await pool.connect();
  try {
    await beginSnapshot(client);
    const { snapshot, ruleSetCheck } = await readSnapshot(client, range);
    const checks: Check[] = [ruleSetCheck];
    for (const check of [...CONSERVATION_CHECKS, ...HOUR_CHECKS]) {
      progress(`checking ${check.invariant} ${check.name}`);
      checks.push(await runSqlCheck(client, check, range));
    }
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

/** By invariant, the broken first within each. */
function sorted(checks: readonly Check[]): Check[] {
  const rank = { broken: 0, ok: 1, unchecked: 2 } as const;
  return [...checks].sort(
    (a, b) =>
      ORDER.indexOf(a.invariant) - ORDER.indexOf(b.invariant) || rank[a.status] - rank[b.status],
  );
}
