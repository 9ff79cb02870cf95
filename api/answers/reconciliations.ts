import Type, { type Static } from 'typebox';
import { HOUR_MS, MINUTE_MS } from '../../core/time.js';
import { TruecountError } from '../../core/errors.js';
import { formatTime, parseMinute } from '../../core/range.js';
import type { Reader } from '../../store/read/connection.js';
import {
  readReconciliation,
  readReconciliations,
  type Reconciliation,
} from '../../store/read/reconciliations.js';
import { CountSchema, TimeSchema } from '../schemas.js';

/** Reconciliations in one answer at most, and by default. */
export const RECONCILIATIONS_MAX = 1_000;
export const RECONCILIATIONS_DEFAULT = 100;
/** Cells in one answer at most; of a reconciliation the store keeps those that moved most. */
const CELLS_MAX = 10_000;

/** The question as it is asked. Its numbers are in bounds. */
export interface ReconciliationsAsked {
  readonly hour?: string | undefined;
  readonly before?: number | undefined;
  readonly limit?: number | undefined;
}

const Summary = {
  id: Type.Integer({ minimum: 1 }),
  hour: TimeSchema,
  generation: Type.Integer({ description: 'what was compared' }),
  against: Type.Enum(['live', 'served'], { description: 'with what' }),
  base: Type.Union([Type.Integer(), Type.Null()], {
    description: 'the generation that served; null: against live',
  }),
  clicks: Type.Object(
    { before: CountSchema, count: CountSchema, moved: CountSchema },
    { description: 'of the unfiltered total; moved: the sum of all differences of its cells' },
  ),
  cells_compared: CountSchema,
  cells_differ: CountSchema,
  causes: Type.Record(Type.String(), Type.Object({ cells: CountSchema, clicks: CountSchema })),
  drift: Type.Number({ description: 'share of the clicks that moved' }),
  threshold: Type.Number({ description: 'the share above which it matters' }),
  decision: Type.Enum(['publish', 'publish_alert', 'hold']),
  reason: Type.String(),
  made_by: Type.String({ description: 'the workflow' }),
  made_at: TimeSchema,
};

const CellDocument = Type.Object({
  ad_id: Type.String(),
  minute: TimeSchema,
  filter_id: Type.Optional(Type.String()),
  before: CountSchema,
  count: CountSchema,
  cause: Type.String(),
});

export const ReconciliationsDocument = Type.Object(
  {
    reconciliations: Type.Array(Type.Object(Summary), { description: 'the newest first' }),
    next: Type.Union([Type.Object({ before: Type.Integer() }), Type.Null()], {
      description: 'the question for older ones; null: these were the oldest',
    }),
  },
  { description: 'reconciliations' },
);

export const ReconciliationDocument = Type.Object(
  {
    ...Summary,
    cells: Type.Array(CellDocument, {
      maxItems: CELLS_MAX,
      description:
        'cells that differ, in the order of filter_id, ad_id and minute: the first 10,000 of those ' +
        'that are kept, which are the 100,000 that moved most; cells_differ counts all',
    }),
  },
  { description: 'a reconciliation and the cells that differ' },
);

/**
 * Answers which diffs decided about generations.
 * @throws TruecountError `invalid_argument`, `invalid_range`, those of a read
 */
export async function answerReconciliations(
  reader: Reader,
  { hour, before, limit = RECONCILIATIONS_DEFAULT }: ReconciliationsAsked,
): Promise<Static<typeof ReconciliationsDocument>> {
  const hourMs = hour === undefined ? undefined : parseHour(hour);
  const found = await readReconciliations(reader, { hourMs, before, limit });
  const last = found.at(-1);
  return {
    reconciliations: found.map(summaryOf),
    next: last === undefined || found.length < limit ? null : { before: last.id },
  };
}

/** Answers one of them. @throws TruecountError `not_found`, those of a read */
export async function answerReconciliation(
  reader: Reader,
  id: number,
): Promise<Static<typeof ReconciliationDocument>> {
  const found = await readReconciliation(reader, id, CELLS_MAX);
  return {
    ...summaryOf(found),
    cells: found.cells.map(({ adId, minute, filter, before, count, cause }) => ({
      ad_id: adId,
      minute: formatTime(found.hourMs + minute * MINUTE_MS),
      ...(filter === '' ? {} : { filter_id: filter }),
      before,
      count,
      cause,
    })),
  };
}

function parseHour(text: string): number {
  const ms = parseMinute('hour', text);
  if (ms % HOUR_MS === 0) return ms;
  const hour = formatTime(Math.floor(ms / HOUR_MS) * HOUR_MS);
  throw new TruecountError('invalid_range', `hour is not a whole hour: ${text}`, {
    hint: `use ${hour}`,
    context: { parameter: 'hour' },
  });
}

function summaryOf(r: Reconciliation) {
  return {
    id: r.id,
    hour: formatTime(r.hourMs),
    generation: r.generation,
    against: r.against,
    base: r.base,
    clicks: { before: r.clicksBase, count: r.clicksNew, moved: r.clicksMoved },
    cells_compared: r.cellsCompared,
    cells_differ: r.cellsDiffer,
    causes: { ...r.causes },
    drift: r.drift,
    threshold: r.threshold,
    decision: r.decision,
    reason: r.reason,
    made_by: r.madeBy,
    made_at: formatTime(r.madeAtMs),
  };
}
