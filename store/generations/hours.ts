import type pg from 'pg';
import type { Cut, CutPosition } from '../../core/cut.js';
import type { TimeRange } from '../../core/range.js';
import { CUT_JSON } from './cut.js';

/** What is known of an hour now, for those who recompute and publish it. */
export interface HourStanding {
  readonly hourMs: number;
  /** Hash of the rule set that the hour has pinned: the live count is by it. */
  readonly pin: string;
  /** Where the stream stopped counting into it; null: it has not. */
  readonly cut: Cut | null;
  /** Newest revision; 0: counted live. */
  readonly revision: number;
  readonly served: ServedStanding | null;
  /** Automatic publication keeps off it. */
  readonly held: boolean;
  /** Late clicks that nobody has examined for what serves. */
  readonly latePending: number;
  /** When the oldest of them was recorded, epoch ms; null: there is none. */
  readonly oldestLateMs: number | null;
  /** Named causes for which the live count may differ from the exact one. */
  readonly causes: readonly { readonly cause: string; readonly detail: string }[];
  /** Offsets below the hour's cut that were never read. */
  readonly losses: readonly Loss[];
}

export interface ServedStanding {
  readonly id: number;
  readonly ruleSet: string;
  readonly checksum: string;
  readonly cut: Cut;
}

export interface Loss {
  /** Who did not read them. */
  readonly by: 'stream' | 'archive';
  readonly topic: string;
  readonly partition: number;
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly reason: string;
}

const LOSSES = ['stream', 'archive'].map(
  (by) => `select '${by}' as by, l.slot, l.from_offset, l.to_offset, l.reason
             from ${by === 'stream' ? 'loss_intervals' : 'archive_losses'} l
             join hour_cuts c on c.hour = h.hour and c.slot = l.slot
            where l.from_offset < c.next_offset and loss_concerns(l.noted_at, h.hour)`,
);

// The oldest of the unexamined is, per slot, the one with the lowest offset.
const SQL = `
  select h.hour, h.rule_set as pin, h.state = 'cut' as is_cut,
         (select ${CUT_JSON} from hour_cuts c join stream_progress s using (slot)
           where c.hour = h.hour) as cut,
         coalesce(p.revision, 0) as revision, g.id, g.rule_set, g.checksum,
         (select ${CUT_JSON} from generation_cuts c join stream_progress s using (slot)
           where c.generation = g.id) as served_cut,
         exists (select from hour_holds x where x.hour = h.hour and x.released is null) as held,
         late.pending, late.oldest,
         (select coalesce(json_agg(json_build_object('cause', x.cause, 'detail', x.detail)
                    order by x.cause, x.slot), '[]')
            from hour_causes x where x.hour = h.hour) as causes,
         (select coalesce(json_agg(json_build_object('by', l.by, 'topic', s.topic,
                    'partition', s.partition, 'fromOffset', l.from_offset,
                    'toOffset', l.to_offset, 'reason', l.reason)
                    order by l.by, s.topic, s.partition, l.from_offset), '[]')
            from (${LOSSES.join(' union all ')}) l join stream_progress s using (slot)) as losses
    from ledger_head head
   cross join hours h
    left join lateral (
      select revision, generation from pointers
       where hour = h.hour and publication <= head.publication order by revision desc limit 1
    ) p on true
    left join generations g on g.id = p.generation
   cross join lateral (
     select coalesce(sum(l.n), 0) as pending, min(flushed_at(s.slot, l.lowest)) as oldest
       from stream_progress s
      cross join lateral (
        select count(*) as n, min(log_offset) as lowest from late_clicks
         where hour = h.hour and slot = s.slot
           and log_offset >= examined_offset(p.generation, head.publication, s.slot)
      ) l
      where l.n > 0
   ) late
   where h.hour = any ($1::timestamptz[])
      or $1::timestamptz[] is null and h.hour >= $2 and h.hour < $3
   order by h.hour`;

interface Row {
  hour: Date;
  pin: string;
  is_cut: boolean;
  cut: CutPosition[];
  revision: number;
  id: string | null;
  rule_set: string;
  checksum: string;
  served_cut: CutPosition[];
  held: boolean;
  pending: string;
  oldest: Date | null;
  causes: HourStanding['causes'];
  losses: Loss[];
}

/** The hours that exist of those named, or in a range, ascending: one statement, so one moment. */
export async function hourStates(
  client: pg.ClientBase | pg.Pool,
  which: TimeRange | readonly number[],
): Promise<HourStanding[]> {
  const range = 'fromMs' in which ? which : null;
  const { rows } = await client.query<Row>(SQL, [
    range === null ? (which as readonly number[]).map((ms) => new Date(ms)) : null,
    range === null ? null : new Date(range.fromMs),
    range === null ? null : new Date(range.toMs),
  ]);
  return rows.map((row) => ({
    hourMs: row.hour.getTime(),
    pin: row.pin,
    cut: row.is_cut ? row.cut : null,
    revision: row.revision,
    served:
      row.id === null
        ? null
        : {
            id: Number(row.id),
            ruleSet: row.rule_set,
            checksum: row.checksum,
            cut: row.served_cut,
          },
    held: row.held,
    latePending: Number(row.pending),
    oldestLateMs: row.oldest?.getTime() ?? null,
    causes: row.causes,
    losses: row.losses,
  }));
}
