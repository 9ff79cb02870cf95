import type { TimeRange } from '../../core/range.js';
import type { MinuteState } from '../../core/state.js';
import { readRows, type Reader } from './connection.js';
import { exactNumber, exactNumberOrNull } from './values.js';

/** Hours in one answer at most. */
export const HOURS_MAX = 1_000;

export interface HourAnswer {
  readonly hourMs: number;
  /** The state of its last minute, as in the answers about counts. */
  readonly state: MinuteState;
  readonly revision: number;
  /** Content hash of the rule set that the hour has pinned. */
  readonly ruleSet: string;
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

// Due: the watermark has passed the hour's end by the grace; or every partition is owned and read to
// its end and the clock is past the end by grace and idle timeout (then no watermark need come).
const SQL = `
  with mark as materialized (
    select head.publication, global_watermark_ms() as watermark_ms, s.grace_ms, s.idle_timeout_ms,
           (select coalesce(bool_and(w.owned and p.at_end_since is not null), false)
              from partition_watermarks(now()) w join stream_progress p using (slot)) as at_end
      from ledger_head head cross join reading_settings s
  ), asked as (
    select * from hours where hour >= $1 and hour < $2 order by hour desc limit $3
  )
  select mark.publication, mark.watermark_ms, h.hour, h.rule_set, h.cut_at,
         minute_state(h.hour + interval '1 hour', mark.watermark_ms) as state,
         h.state = 'open' and coalesce(
           mark.watermark_ms >= extract(epoch from h.hour) * 1000 + 3600000 + mark.grace_ms, false)
         or h.state = 'open' and mark.at_end and now() > h.hour + interval '1 hour'
           + (mark.grace_ms + mark.idle_timeout_ms) * interval '1 millisecond' as due,
         (select coalesce(json_agg(json_build_object('topic', p.topic, 'partition', p.partition,
                    'nextOffset', c.next_offset) order by p.topic, p.partition), '[]')
            from hour_cuts c join stream_progress p using (slot) where c.hour = h.hour) as cut,
         (select count(*) from late_clicks l where l.hour = h.hour) as late_waiting,
         (select coalesce(json_agg(json_build_object('cause', x.cause, 'detail', x.detail)
                    order by x.cause, x.slot), '[]')
            from hour_causes x where x.hour = h.hour) as causes
    from mark left join asked h on true
   order by h.hour`;

interface Row {
  publication: string;
  watermark_ms: string | null;
  hour: Date | null;
  rule_set: string;
  cut_at: Date | null;
  state: MinuteState;
  due: boolean;
  cut: CutEntry[];
  late_waiting: string;
  causes: { cause: string; detail: string }[];
}

/** The hours that exist in a range; of more than HOURS_MAX the newest. Throws as `readRows`. */
export async function readHours(reader: Reader, range: TimeRange | null): Promise<HoursAnswer> {
  const rows = await readRows<Row>(reader, 'hours', SQL, [
    range === null ? '-infinity' : new Date(range.fromMs),
    range === null ? 'infinity' : new Date(range.toMs),
    HOURS_MAX,
  ]);
  return {
    asOf: exactNumber(rows[0]?.publication ?? 0),
    watermarkMs: exactNumberOrNull(rows[0]?.watermark_ms ?? null),
    hours: rows.flatMap((row) => (row.hour === null ? [] : [toHour(row, row.hour)])),
  };
}

function toHour(row: Row, hour: Date): HourAnswer {
  return {
    hourMs: hour.getTime(),
    state: row.state,
    revision: 0,
    ruleSet: row.rule_set,
    cutAtMs: row.cut_at?.getTime() ?? null,
    cut: row.cut.map((entry) => ({ ...entry, nextOffset: exactNumber(entry.nextOffset) })),
    lateWaiting: exactNumber(row.late_waiting),
    due: row.due,
    causes: row.causes,
  };
}
