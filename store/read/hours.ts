import type { TimeRange } from '../../core/range.js';
import type { MinuteState } from '../../core/state.js';
import { checkAsOf } from './as-of.js';
import { readRows, type Reader } from './connection.js';
import { exactNumber, exactNumberOrNull } from './values.js';

/** Hours in one answer at most. */
export const HOURS_MAX = 1_000;

export interface HourAnswer {
  readonly hourMs: number;
  /** The state of its last minute, as in the answers about counts. */
  readonly state: MinuteState;
  /** 0: it is live. */
  readonly revision: number;
  /** Content hash of the rule set that the hour has pinned: the live count is by it. */
  readonly ruleSet: string;
  /** What serves it; null: it is live. */
  readonly served: ServedGeneration | null;
  /** Why automatic publication keeps off it; null: it does not. */
  readonly held: string | null;
  /** When the hour was cut; null while the stream counts into it. */
  readonly cutAtMs: number | null;
  /** Next offset per partition at the cut, empty while uncut; an absent partition is 0. */
  readonly cut: readonly CutEntry[];
  /** Late clicks that nobody has examined. */
  readonly lateWaiting: number;
  /** Not cut, and ready to be. */
  readonly due: boolean;
  /** Named causes for which the live count may differ from the exact one. */
  readonly causes: readonly { readonly cause: string; readonly detail: string }[];
  /** Why the settlements since then did not get it done; null: it is done, or none has failed. */
  readonly failure: HourFailure | null;
  /** The comparison that leaves it to a person, as of now; null: none does. */
  readonly waiting: HourDecision | null;
  /** The comparison by which what serves was published with an alert; null: it was without. */
  readonly alert: HourDecision | null;
}

/** What a comparison of the hour said. */
export interface HourDecision {
  readonly reconciliation: number;
  /** Share of the clicks that moved. */
  readonly drift: number;
  readonly cellsDiffer: number;
  /** One sentence for people. */
  readonly reason: string;
  readonly atMs: number;
}

export interface HourFailure {
  /** When it failed first, epoch ms; it has not come through since. */
  readonly sinceMs: number;
  readonly lastMs: number;
  readonly times: number;
  /** Closed code and words of the last failure. */
  readonly error: string;
  /** The settlement that it failed in last. */
  readonly workflowId: string;
  readonly runId: string;
}

export interface ServedGeneration {
  readonly generation: number;
  readonly ruleSet: string;
  /** SHA-256 over its cells: `core/generation.ts`. */
  readonly checksum: string;
  /** The publication that made it serve. */
  readonly publication: number;
  readonly cut: readonly CutEntry[];
}

export interface CutEntry {
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: number;
}

export interface HoursAnswer {
  readonly asOf: number;
  readonly watermarkMs: number | null;
  /** Ascending. */
  readonly hours: readonly HourAnswer[];
}

const DECISION_JSON = `json_build_object('reconciliation', r.id, 'drift', r.drift,
    'cellsDiffer', r.cells_differ, 'reason', r.reason,
    'atMs', floor(extract(epoch from r.made_at) * 1000))`;

const SQL = `
  with mark as materialized (
    select head.publication as newest, coalesce($4::bigint, head.publication) as as_of,
           global_watermark_ms() as watermark_ms, hours_due_until() as due_until
      from ledger_head head
  ), asked as (
    select * from hours where hour >= $1 and hour < $2 order by hour desc limit $3
  )
  select mark.newest, mark.as_of, mark.watermark_ms, h.hour, h.rule_set, h.cut_at,
         minute_state(h.hour + interval '1 hour', mark.watermark_ms, p.generation) as state,
         p.revision, p.generation, g.rule_set as served_rule_set, g.checksum,
         (select publication from pointers
           where hour = h.hour and revision = p.revision) as publication,
         h.state = 'open' and coalesce(h.hour <= mark.due_until, false) as due,
         (select ${cutJson('c')} from hour_cuts c join stream_progress p using (slot)
           where c.hour = h.hour) as cut,
         (select ${cutJson('c')} from generation_cuts c join stream_progress p using (slot)
           where c.generation = g.id) as served_cut,
         (select x.reason from hour_holds x
           where x.hour = h.hour and x.publication <= mark.as_of
             and (x.released is null or x.released > mark.as_of)
           order by x.publication desc limit 1) as held,
         (select count(*) from late_clicks l
           where l.hour = h.hour
             and is_late_pending(p.generation, mark.as_of, l.slot, l.log_offset)) as late_waiting,
         (select coalesce(json_agg(json_build_object('cause', x.cause, 'detail', x.detail)
                    order by x.cause, x.slot), '[]')
            from hour_causes x where x.hour = h.hour) as causes,
         f.since, f.failed_at, f.times, f.error, f.workflow_id, f.run_id,
         (select ${DECISION_JSON} from reconciliations r
           where r.id = holding_reconciliation(h.hour) and not nothing_to_settle(h.hour)) as waiting,
         (select ${DECISION_JSON} from reconciliations r
           where r.id = alerting_reconciliation(h.hour, p.revision, p.generation)) as alert
    from mark
    left join asked h on true
    left join lateral served_pointer(h.hour, mark.as_of) p on true
    left join generations g on g.id = p.generation
    left join hour_failures f on f.hour = h.hour and not nothing_to_settle(f.hour)
   order by h.hour`;

function cutJson(cut: string): string {
  return `coalesce(json_agg(json_build_object('topic', p.topic, 'partition', p.partition,
    'nextOffset', ${cut}.next_offset) order by p.topic, p.partition), '[]')`;
}

interface Row {
  newest: string;
  as_of: string;
  watermark_ms: string | null;
  hour: Date | null;
  rule_set: string;
  cut_at: Date | null;
  state: MinuteState;
  revision: number | null;
  generation: string | null;
  served_rule_set: string;
  checksum: string;
  publication: string;
  due: boolean;
  cut: CutEntry[];
  served_cut: CutEntry[];
  held: string | null;
  late_waiting: string;
  causes: { cause: string; detail: string }[];
  since: Date | null;
  failed_at: Date;
  times: number;
  error: string;
  workflow_id: string;
  run_id: string;
  waiting: HourDecision | null;
  alert: HourDecision | null;
}

/**
 * The hours that exist in a range; of more than HOURS_MAX the newest. What serves them, the holds and
 * the late clicks are as of a publication, by default the newest; the rest is as it is now.
 * @throws TruecountError `not_found` for an unknown `asOf`; what `readRows` throws
 */
export async function readHours(
  reader: Reader,
  range: TimeRange | null,
  asOf?: number,
): Promise<HoursAnswer> {
  const rows = await readRows<Row>(reader, 'hours', SQL, [
    range === null ? '-infinity' : new Date(range.fromMs),
    range === null ? 'infinity' : new Date(range.toMs),
    HOURS_MAX,
    asOf ?? null,
  ]);
  checkAsOf(asOf, exactNumber(rows[0]?.newest ?? 0));
  return {
    asOf: exactNumber(rows[0]?.as_of ?? 0),
    watermarkMs: exactNumberOrNull(rows[0]?.watermark_ms ?? null),
    hours: rows.flatMap((row) => (row.hour === null ? [] : [toHour(row, row.hour)])),
  };
}

function toHour(row: Row, hour: Date): HourAnswer {
  return {
    hourMs: hour.getTime(),
    state: row.state,
    revision: row.revision ?? 0,
    ruleSet: row.rule_set,
    served: row.generation === null ? null : toServed(row, row.generation),
    held: row.held,
    cutAtMs: row.cut_at?.getTime() ?? null,
    cut: row.cut.map(exactEntry),
    lateWaiting: exactNumber(row.late_waiting),
    due: row.due,
    causes: row.causes,
    failure: row.since === null ? null : toFailure(row, row.since),
    waiting: row.waiting === null ? null : exactDecision(row.waiting),
    alert: row.alert === null ? null : exactDecision(row.alert),
  };
}

function toFailure(row: Row, since: Date): HourFailure {
  return {
    sinceMs: since.getTime(),
    lastMs: row.failed_at.getTime(),
    times: row.times,
    error: row.error,
    workflowId: row.workflow_id,
    runId: row.run_id,
  };
}

function toServed(row: Row, generation: string): ServedGeneration {
  return {
    generation: exactNumber(generation),
    ruleSet: row.served_rule_set,
    checksum: row.checksum,
    publication: exactNumber(row.publication),
    cut: row.served_cut.map(exactEntry),
  };
}

function exactEntry(entry: CutEntry): CutEntry {
  return { ...entry, nextOffset: exactNumber(entry.nextOffset) };
}

function exactDecision(found: HourDecision): HourDecision {
  const { reconciliation, cellsDiffer } = found;
  return {
    ...found,
    reconciliation: exactNumber(reconciliation),
    cellsDiffer: exactNumber(cellsDiffer),
  };
}
