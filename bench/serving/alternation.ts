/**
 * A day that is published again and again, in turn by two rule sets that differ in every hour, and
 * what readers must be told at each publication. The counts are a formula, so that the truth of every
 * answer is known without asking the database.
 */
import type pg from 'pg';
import { HOUR_MS, MINUTE_MS } from '../../core/time.js';
import { publish } from '../../store/publish/publish.js';

export const DAY_MS = Date.UTC(2026, 10, 20);
export const HOURS = 24;
/** Of the second rule set, `country:UK` is `country:GB`. */
export const FILTERS = ['', 'country:US', 'country:UK', 'country:GB'] as const;
export type Filter = (typeof FILTERS)[number];

/** Which of the two generations of each hour serves: odd publications the first, even the second. */
export type Side = 0 | 1;

export function sideAt(publication: number): Side {
  return publication % 2 === 1 ? 0 : 1;
}

export function adName(ad: number): string {
  return `ad-${String(ad).padStart(5, '0')}`;
}

/** Clicks of an ad in a minute of the day; ads count from 0. */
export function clicksOf(side: Side, filter: Filter, ad: number, minute: number): number {
  const hour = Math.floor(minute / 60);
  const total = 1 + ((ad + hour + (minute % 60)) % 3) + side;
  if (filter === '') return total;
  if (filter === 'country:US') return 1;
  return (filter === 'country:GB') === (side === 1) ? total - 1 : 0;
}

export function sumOf(side: Side, filter: Filter, ad: number, from: number, to: number): number {
  let sum = 0;
  for (let minute = from; minute < to; minute++) sum += clicksOf(side, filter, ad, minute);
  return sum;
}

/** Ads of the day's top, most clicks first, equal ones by name. */
export function topOf(side: Side, filter: Filter, ads: number, topN: number) {
  return Array.from({ length: ads }, (_, ad) => ({
    adId: adName(ad),
    count: sumOf(side, filter, ad, 0, HOURS * 60),
  }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count || (a.adId < b.adId ? -1 : 1))
    .slice(0, topN);
}

/** Hours, generations 2h+1 and 2h+2 of each, a watermark beyond them; nothing is published. */
export async function loadDay(db: pg.Client, ads: number): Promise<void> {
  await db.query(
    `insert into rule_sets (hash, body)
     select h, '{"version":1,"dimensions":[{"name":"country","field":"country"}]}'
       from unnest(array['rules-0', 'rules-1']) h`,
  );
  await db.query(
    `insert into stream_progress (topic, partition, epoch, next_offset, max_event_ms, seen_at)
     values ('clicks', 0, 1, 1000, $1, now() + interval '1 day')`,
    [DAY_MS + (HOURS + 1) * HOUR_MS],
  );
  await db.query(
    `insert into hours (hour, rule_set, state, cut_at)
     select $1::timestamptz + h * interval '1 hour', 'rules-0', 'cut', now()
       from generate_series(0, $2::integer - 1) h`,
    [new Date(DAY_MS), HOURS],
  );
  await db.query(
    `insert into generations (id, hour, rule_set, inputs_hash, checksum, rows, cells, received,
                              counted, duplicate, filtered, built_by)
     overriding system value
     select 2 * h + side + 1, $1::timestamptz + h * interval '1 hour', 'rules-' || side,
            format('inputs %s %s', h, side), format('cells %s %s', h, side), $3::integer * 3, 0,
            zeros, zeros, zeros, zeros, 'bench'
       from generate_series(0, $2::integer - 1) h, generate_series(0, 1) side,
            (select array_fill(0::bigint, array[60]) as zeros) z`,
    [new Date(DAY_MS), HOURS, ads],
  );
  await db.query(
    `insert into generation_cells (generation, filter, ad_id, counts)
     select 2 * h + side + 1, f, 'ad-' || lpad(ad::text, 5, '0'),
            array(select case f when '' then t when 'country:US' then 1 else t - 1 end
                    from (select 1 + (ad + h + m) % 3 + side as t
                            from generate_series(0, 59) m order by m) minute)
       from generate_series(0, $1::integer - 1) h, generate_series(0, 1) side,
            unnest(array['', 'country:US', case side when 0 then 'country:UK'
                                                     else 'country:GB' end]) f,
            generate_series(0, $2::integer - 1) ad
      order by h, side, f collate "C", ad`,
    [HOURS, ads],
  );
  await db.query(
    `with cut as (
       insert into generation_cuts (generation, slot, next_offset)
       select g.id, s.slot, 1000 from generations g, stream_progress s returning *
     )
     insert into examined_cuts (generation, publication, slot, next_offset)
     select generation, 0, slot, next_offset from cut`,
  );
  await db.query('vacuum analyze');
}

/** The `publication`-th publication of the whole day: forward, or back to the first rule set. */
export async function publishDay(db: pg.Client, publication: number): Promise<number> {
  const side = sideAt(publication);
  const startMs = performance.now();
  await publish(db, {
    request: `day ${String(publication)}`,
    kind: publication > 1 && side === 0 ? 'rollback' : 'publish',
    hours: Array.from({ length: HOURS }, (_, hour) => ({
      hourMs: DAY_MS + hour * HOUR_MS,
      generation: 2 * hour + side + 1,
      expectedRevision: publication - 1,
      reconciliation: null,
    })),
    actor: 'bench',
    reason: `publication ${String(publication)}`,
    automatic: false,
  });
  return performance.now() - startMs;
}

/** `2026-11-20T01:02:00Z` of a minute of the day. */
export function minuteText(minute: number): string {
  return new Date(DAY_MS + minute * MINUTE_MS).toISOString().replace('.000Z', 'Z');
}
