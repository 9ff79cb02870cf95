import type pg from 'pg';
import type { DiffCause } from '../../core/cell-causes.js';
import type { CauseTotals, Decided, ReconcilePolicy } from '../../core/reconcile.js';
import { dimensionOf } from '../../core/rules/filter.js';
import { TOTAL_FILTER } from '../../core/rules/rule-set.js';
import type { Sides } from './evidence.js';

/** A cell that differs, with why. */
export interface ExplainedCell {
  readonly filter: string;
  readonly adId: string;
  readonly minute: number;
  readonly base: number;
  readonly now: number;
  readonly cause: DiffCause;
}

/** Cells of a reconciliation that are kept; its totals are of all. */
export const CELLS_KEPT_MAX = 100_000;

/** Adds up a diff and keeps the cells that moved most, in bounded memory. */
export class DiffTally {
  cellsDiffer = 0;
  /** Cells that the base has and the generation has not. */
  cellsGone = 0;
  /** Of the unfiltered total: the generation's clicks less the base's. */
  clicksGained = 0;
  private totalMoved = 0;
  /** By dimension: clicks that went from one of its cells. */
  private readonly lost = new Map<string, number>();
  readonly causes: Partial<Record<DiffCause, { cells: number; clicks: number }>> = {};
  private kept: ExplainedCell[] = [];

  constructor(private readonly cap: number = CELLS_KEPT_MAX) {}

  add(cell: ExplainedCell): void {
    const delta = cell.now - cell.base;
    this.cellsDiffer++;
    if (cell.now === 0) this.cellsGone++;
    if (cell.filter === TOTAL_FILTER) {
      this.totalMoved += Math.abs(delta);
      this.clicksGained += delta;
    } else if (delta < 0) {
      const dimension = dimensionOf(cell.filter);
      this.lost.set(dimension, (this.lost.get(dimension) ?? 0) - delta);
    }
    const totals = (this.causes[cell.cause] ??= { cells: 0, clicks: 0 });
    totals.cells++;
    totals.clicks += Math.abs(delta);
    this.kept.push(cell);
    if (this.kept.length >= 2 * this.cap) this.kept = this.most();
  }

  /**
   * Clicks that moved: the sum of |now - base| of the total, or, where more have only changed their
   * value of a dimension, those. A dimension that is new moves none.
   */
  get clicksMoved(): number {
    return Math.max(this.totalMoved, ...this.lost.values());
  }

  /** Unknown ones first: they are what somebody has to look at; then what moved most. */
  most(): ExplainedCell[] {
    const rank = ({ cause }: ExplainedCell): number => Number(cause !== 'unknown');
    const moved = ({ now, base }: ExplainedCell): number => Math.abs(now - base);
    return [...this.kept]
      .sort((a, b) => rank(a) - rank(b) || moved(b) - moved(a))
      .slice(0, this.cap);
  }
}

export interface Reconciliation extends Decided {
  readonly sides: Sides;
  readonly policy: ReconcilePolicy;
  readonly clicksBase: number;
  readonly clicksNew: number;
  readonly clicksMoved: number;
  readonly cellsCompared: number;
  readonly cellsDiffer: number;
  readonly causes: Readonly<Partial<Record<DiffCause, CauseTotals>>>;
  readonly madeBy: string;
}

/** Writes a reconciliation and its cells; returns its number. */
export async function recordReconciliation(
  client: pg.ClientBase,
  made: Reconciliation,
  cells: readonly ExplainedCell[],
): Promise<number> {
  const { sides } = made;
  const { rows } = await client.query<{ id: string }>(
    `insert into reconciliations (hour, generation, against, base, revision, clicks_base, clicks_new,
       clicks_moved, cells_compared, cells_differ, causes, drift, threshold, decision, reason, made_by)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) returning id`,
    [
      new Date(sides.hourMs),
      sides.generation.id,
      sides.base === null ? 'live' : 'served',
      sides.base?.id ?? null,
      sides.revision,
      made.clicksBase,
      made.clicksNew,
      made.clicksMoved,
      made.cellsCompared,
      made.cellsDiffer,
      JSON.stringify(made.causes),
      made.drift,
      made.policy.thresholdPpm / 1e6,
      made.decision,
      made.reason,
      made.madeBy,
    ],
  );
  const id = Number(rows[0]!.id);
  const BATCH = 10_000;
  for (let from = 0; from < cells.length; from += BATCH) {
    await insertCells(client, id, cells.slice(from, from + BATCH));
  }
  return id;
}

async function insertCells(
  client: pg.ClientBase,
  id: number,
  cells: readonly ExplainedCell[],
): Promise<void> {
  await client.query(
    `insert into reconciliation_cells (reconciliation, filter, ad_id, minute, base_count, new_count,
                                       cause)
     select $1, t.* from unnest($2::text[], $3::text[], $4::int[], $5::bigint[], $6::bigint[],
                                $7::text[]) as t`,
    [
      id,
      cells.map((c) => c.filter),
      cells.map((c) => c.adId),
      cells.map((c) => c.minute),
      cells.map((c) => c.base),
      cells.map((c) => c.now),
      cells.map((c) => c.cause),
    ],
  );
}
