import fc from 'fast-check';
import type pg from 'pg';
import { HOUR_MS, MINUTE_MS } from '../../../core/time.js';

/** One minute of one ad and filter on one partition, or a late click: what a test world is made of. */
export interface WorldCell {
  readonly hour: number;
  readonly filter: string;
  readonly ad: string;
  readonly partition: number;
  readonly counts: readonly number[];
}

export interface WorldLate {
  readonly hour: number;
  readonly partition: number;
  readonly offset: number;
  readonly minute: number;
  readonly ad: string;
  readonly filters: readonly string[];
}

/** A small database as plain data. Hours are numbers from `WORLD_START_MS` on. */
export interface World {
  readonly cells: readonly WorldCell[];
  readonly late: readonly WorldLate[];
}

export const WORLD_START_MS = Date.UTC(2026, 10, 20, 22);
export const WORLD_HOURS = 5;
export const WORLD_ADS = ['a', 'a/b', "o'ad", 'ä%2F', 'B', 'b', 'ads?x=1&y#z', '☂️ "q"', '%', ' '];
export const WORLD_FILTERS = ['', 'country:US', 'country:GB', 'device:mo:bile'];
const PARTITIONS = 3;

/** Mostly zeros and few different counts, so that ties and empty minutes are common. */
const counts = fc.array(fc.constantFrom(0, 0, 0, 1, 1, 2, 7), { minLength: 60, maxLength: 60 });

const cell: fc.Arbitrary<WorldCell> = fc.record({
  hour: fc.nat(WORLD_HOURS - 1),
  filter: fc.constantFrom(...WORLD_FILTERS),
  ad: fc.constantFrom(...WORLD_ADS),
  partition: fc.nat(PARTITIONS - 1),
  counts,
});

const late: fc.Arbitrary<WorldLate> = fc.record({
  hour: fc.nat(WORLD_HOURS - 1),
  partition: fc.nat(PARTITIONS - 1),
  offset: fc.nat(10_000),
  minute: fc.nat(59),
  ad: fc.constantFrom(...WORLD_ADS),
  filters: fc.subarray(WORLD_FILTERS.slice(1)),
});

export const worlds: fc.Arbitrary<World> = fc.record({
  cells: fc.uniqueArray(cell, {
    maxLength: 60,
    selector: (c) => JSON.stringify([c.hour, c.filter, c.ad, c.partition]),
  }),
  late: fc.uniqueArray(late, {
    maxLength: 40,
    selector: (l) => JSON.stringify([l.hour, l.partition, l.offset]),
  }),
});

/** Start of a minute of the world, counted from its first hour. */
export function minuteMs(minute: number): number {
  return WORLD_START_MS + minute * MINUTE_MS;
}

/** A rule set, three partitions read up to `maxEventMs`, owned but not at their end. */
export async function seedLog(pool: pg.Pool, maxEventMs: number): Promise<void> {
  await pool.query(
    `insert into rule_sets (hash, body)
     values ('r', '{"version":1,"dimensions":[{"name":"country","field":"country"},
                                              {"name":"device","field":"device"}]}')`,
  );
  await pool.query(
    `insert into stream_progress (topic, partition, epoch, next_offset, max_event_ms, seen_at)
     select 'clicks', p, 1, 100, $1, now() + interval '1 day' from generate_series(0, $2) p`,
    [maxEventMs, PARTITIONS - 1],
  );
}

/** Replaces all hours, cells and late clicks by those of a world. */
export async function load(pool: pg.Pool, world: World): Promise<void> {
  await emptyTables(pool, 'hours', 'live_cells', 'late_clicks', 'generation_cells', 'ledger');
  await pool.query('update ledger_head set publication = 0, hash = default');
  await pool.query(
    `insert into hours (hour, rule_set) select h, 'r'
       from unnest($1::timestamptz[]) h`,
    [Array.from({ length: WORLD_HOURS }, (_, hour) => hourDate(hour))],
  );
  for (const c of world.cells) {
    await pool.query(
      `insert into live_cells (hour, filter, ad_id, slot, counts)
       select $1, $2, $3, slot, $5 from stream_progress where partition = $4`,
      [hourDate(c.hour), c.filter, c.ad, c.partition, c.counts],
    );
  }
  for (const l of world.late) {
    await pool.query(
      `insert into late_clicks (hour, slot, log_offset, minute, ad_id, filters)
       select $1, slot, $3, $4, $5, $6 from stream_progress where partition = $2`,
      [hourDate(l.hour), l.partition, l.offset, l.minute, l.ad, l.filters],
    );
  }
}

/** Empties tables and those that refer to them, append-only ones too: their triggers do not run. */
export async function emptyTables(pool: pg.Pool, ...tables: readonly string[]): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('begin; set local session_replication_role = replica');
    await client.query(`truncate ${tables.join()} cascade`);
    await client.query('commit');
  } finally {
    client.release();
  }
}

function hourDate(hour: number): Date {
  return new Date(WORLD_START_MS + hour * HOUR_MS);
}

/** Clicks by brute force: every minute of every cell is looked at. Minutes are of the world. */
export function clicksOf(
  world: World,
  ad: string,
  filter: string,
  from: number,
  to: number,
): number {
  let sum = 0;
  for (const c of world.cells) {
    if (c.ad !== ad || c.filter !== filter) continue;
    c.counts.forEach((count, i) => {
      const minute = c.hour * 60 + i;
      if (minute >= from && minute < to) sum += count;
    });
  }
  return sum;
}

/** Late clicks by brute force. */
export function lateOf(world: World, ad: string, filter: string, from: number, to: number): number {
  return world.late.filter((l) => {
    const minute = l.hour * 60 + l.minute;
    const matches = filter === '' || l.filters.includes(filter);
    return l.ad === ad && matches && minute >= from && minute < to;
  }).length;
}
