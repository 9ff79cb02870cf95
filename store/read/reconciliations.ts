import { TruecountError } from '../../core/errors.js';
import { readRows, type Reader } from './connection.js';
import { exactNumber, exactNumberOrNull } from './values.js';

/** The diff of an hour that decided whether a generation may serve it. */
export interface Reconciliation {
  readonly id: number;
  readonly hourMs: number;
  readonly generation: number;
  readonly against: 'live' | 'served';
  /** The generation that it was compared with; null: what was counted live. */
  readonly base: number | null;
  /** Clicks of the unfiltered total: in the base, in the generation, and moved between minutes or ads. */
  readonly clicksBase: number;
  readonly clicksNew: number;
  readonly clicksMoved: number;
  readonly cellsCompared: number;
  readonly cellsDiffer: number;
  /** Cells and clicks by cause. */
  readonly causes: Readonly<Record<string, { readonly cells: number; readonly clicks: number }>>;
  /** Share of the clicks that moved, and the share above which it matters. */
  readonly drift: number;
  readonly threshold: number;
  readonly decision: 'publish' | 'publish_alert' | 'hold';
  readonly reason: string;
  readonly madeBy: string;
  readonly madeAtMs: number;
}

/** One cell that differs. */
export interface ReconciliationCell {
  readonly filter: string;
  readonly adId: string;
  readonly minute: number;
  readonly before: number;
  readonly count: number;
  readonly cause: string;
}

export interface ReconciliationsQuestion {
  readonly hourMs?: number | undefined;
  /** Only those with a lower id. */
  readonly before?: number | undefined;
  readonly limit: number;
}

const LIST = `
  select * from reconciliations
   where ($1::timestamptz is null or hour = $1) and ($2::bigint is null or id < $2)
   order by id desc limit $3`;

const ONE = `
  select r.*,
         (select coalesce(json_agg(json_build_array(c.filter, c.ad_id, c.minute, c.base_count,
                           c.new_count, c.cause) order by c.filter, c.ad_id, c.minute), '[]')
            from (select * from reconciliation_cells
                   where reconciliation = r.id order by filter, ad_id, minute limit $2) c) as cells
    from reconciliations r where id = $1`;

interface Row {
  id: string;
  hour: Date;
  generation: string;
  against: 'live' | 'served';
  base: string | null;
  clicks_base: string;
  clicks_new: string;
  clicks_moved: string;
  cells_compared: string;
  cells_differ: string;
  causes: Reconciliation['causes'];
  drift: number;
  threshold: number;
  decision: Reconciliation['decision'];
  reason: string;
  made_by: string;
  made_at: Date;
}

type CellArray = [
  filter: string,
  adId: string,
  minute: number,
  before: number,
  count: number,
  cause: string,
];

/** Reconciliations, the newest first. Throws as `readRows`. */
export async function readReconciliations(
  reader: Reader,
  { hourMs, before, limit }: ReconciliationsQuestion,
): Promise<Reconciliation[]> {
  const rows = await readRows<Row>(reader, 'reconciliations', LIST, [
    hourMs === undefined ? null : new Date(hourMs),
    before ?? null,
    limit,
  ]);
  return rows.map(toReconciliation);
}

/**
 * One reconciliation with the cells that differ, `cellsMax` at most.
 * @throws TruecountError `not_found`; what `readRows` throws
 */
export async function readReconciliation(
  reader: Reader,
  id: number,
  cellsMax: number,
): Promise<Reconciliation & { readonly cells: readonly ReconciliationCell[] }> {
  const [row] = await readRows<Row & { cells: CellArray[] }>(reader, 'reconciliation', ONE, [
    id,
    cellsMax,
  ]);
  if (row === undefined) {
    throw new TruecountError('not_found', `there is no reconciliation ${String(id)}`, {
      hint: 'GET /reconciliations lists them',
    });
  }
  return {
    ...toReconciliation(row),
    cells: row.cells.map(([filter, adId, minute, was, now, cause]) => ({
      filter,
      adId,
      minute,
      before: exactNumber(was),
      count: exactNumber(now),
      cause,
    })),
  };
}

function toReconciliation(row: Row): Reconciliation {
  return {
    id: exactNumber(row.id),
    hourMs: row.hour.getTime(),
    generation: exactNumber(row.generation),
    against: row.against,
    base: exactNumberOrNull(row.base),
    clicksBase: exactNumber(row.clicks_base),
    clicksNew: exactNumber(row.clicks_new),
    clicksMoved: exactNumber(row.clicks_moved),
    cellsCompared: exactNumber(row.cells_compared),
    cellsDiffer: exactNumber(row.cells_differ),
    causes: row.causes,
    drift: row.drift,
    threshold: row.threshold,
    decision: row.decision,
    reason: row.reason,
    madeBy: row.made_by,
    madeAtMs: row.made_at.getTime(),
  };
}
