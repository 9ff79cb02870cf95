import type pg from 'pg';
import { CauseBudget } from '../../core/cause-budget.js';
import { causesOf, ruleMoves } from '../../core/cell-causes.js';
import type { DiffCause } from '../../core/cell-causes.js';
import { decideReconciliation, minuteBounds } from '../../core/reconcile.js';
import type {
  CauseTotals,
  HourEvidence,
  ReconcileDecision,
  ReconcilePolicy,
} from '../../core/reconcile.js';
import { inTransaction } from '../publish/transaction.js';
import { diffCells } from './diff.js';
import { findSides, readEvidence } from './evidence.js';
import type { Sides } from './evidence.js';
import { DiffTally, recordReconciliation } from './record.js';

export interface ReconcileRequest {
  readonly hourMs: number;
  readonly generation: number;
  /** `live`: what the stream counted; `served`: the generation that serves now. */
  readonly against: 'live' | 'served';
  readonly policy: ReconcilePolicy;
  /** The workflow or person, for people. */
  readonly madeBy: string;
}

export interface ReconcileOutcome {
  readonly id: number;
  /** Cells that are not 0 on either side. */
  readonly cellsCompared: number;
  readonly cellsDiffer: number;
  readonly causes: Readonly<Partial<Record<DiffCause, CauseTotals>>>;
  readonly drift: number;
  readonly decision: ReconcileDecision;
  readonly reason: string;
  /** Newest revision when it was compared; 0: none. Publishing expects it unchanged. */
  readonly revision: number;
  /** The generation that it points to; null: the hour is counted live. */
  readonly served: number | null;
  /**
   * The same cells by the same rule set as the served generation: to be confirmed, not published. The
   * same cells by another rule set are a revision, so that the hour is counted by that one from now on.
   */
  readonly unchanged: boolean;
}

/**
 * Compares a generation, cell by cell, with what it would replace, names the cause of every
 * difference, decides, and keeps the report. Changes nothing that is served, so it may be repeated;
 * each time is a report of its own. One transaction; the session wants LONG_SESSION_LIMITS.
 * @throws TruecountError `not_found` (hour or generation), `collected`, `conflict` (the hour is not
 * cut; `served`, but nothing serves)
 */
export async function reconcileHour(
  client: pg.Client,
  { hourMs, generation, against, policy, madeBy }: ReconcileRequest,
): Promise<ReconcileOutcome> {
  return inTransaction(client, async () => {
    const sides = await findSides(client, hourMs, generation, against);
    const evidence = await readEvidence(client, sides);
    const tally = await tallyDiff(client, sides, evidence);
    const clicksNew = sides.generation.flow.counted.reduce((sum, n) => sum + n, 0);
    const { cellsDiffer, causes, clicksMoved } = tally;
    const decided = decideReconciliation(
      evidence,
      { clicksMoved, clicksNew, cellsDiffer, causes },
      policy,
    );
    const totals = {
      cellsCompared: sides.generation.cells + tally.cellsGone,
      cellsDiffer,
      causes,
      ...decided,
    };
    const clicks = { clicksBase: clicksNew - tally.clicksGained, clicksNew, clicksMoved };
    const id = await recordReconciliation(
      client,
      { sides, policy, madeBy, ...clicks, ...totals },
      tally.most(),
    );
    const { revision, served } = sides;
    return {
      keep: true,
      value: { id, ...totals, revision, served, unchanged: isUnchanged(sides) },
    };
  });
}

function isUnchanged({ checksum, generation, servedChecksum, servedRules }: Sides): boolean {
  return servedChecksum === checksum && servedRules === generation.rules.hash;
}

async function tallyDiff(
  client: pg.Client,
  sides: Sides,
  evidence: HourEvidence,
): Promise<DiffTally> {
  const { generation, base, pin } = sides;
  const before = base?.rules ?? pin;
  const moves = ruleMoves(
    before.ruleSet,
    generation.rules.ruleSet,
    generation.rules.hash === pin.hash,
  );
  const lost = { unread: evidence.streamLostInDiff, unarchived: evidence.archiveLost };
  const budget = new CauseBudget(minuteBounds(evidence), lost, moves.caps);
  const tally = new DiffTally();
  for await (const { adId, minute, lateTotal, cells } of diffCells(client, sides)) {
    const causes = causesOf(cells, lateTotal, budget.of(minute), moves);
    budget.spend(minute, cells, causes);
    cells.forEach(({ filter, base: was, now }, i) => {
      tally.add({ filter, adId, minute, base: was, now, cause: causes[i]! });
    });
  }
  return tally;
}
