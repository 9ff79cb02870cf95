import type pg from 'pg';
import type { TimeRange } from '../../core/range.js';
import { HOUR_MS } from '../../core/time.js';

/** What is served now, as the demo tells it. */
export interface Served {
  readonly hours: number;
  readonly final: number;
  /** Generations. */
  readonly computed: number;
  /** Greatest revision of any hour. */
  readonly revision: number;
  /** Late clicks that no generation has looked at. */
  readonly latePending: number;
  readonly publication: number;
}

export async function readServed(pool: pg.Pool): Promise<Served> {
  const { rows } = await pool.query<Record<keyof Served, string>>(
    `with newest as (select distinct on (hour) * from pointers order by hour, revision desc),
          head as (select publication from ledger_head)
     select (select count(*) from hours) as hours, (select count(*) from newest) as final,
            (select count(*) from generations) as computed,
            (select coalesce(max(revision), 0) from newest) as revision,
            (select count(*) from late_clicks l join newest n using (hour), head
              where l.log_offset >= examined_offset(n.generation, head.publication, l.slot))
              as "latePending",
            (select publication from head) as publication`,
  );
  const row = rows[0]!;
  return {
    hours: Number(row.hours),
    final: Number(row.final),
    computed: Number(row.computed),
    revision: Number(row.revision),
    latePending: Number(row.latePending),
    publication: Number(row.publication),
  };
}

/** All hours there are. */
export async function wholeRange(pool: pg.Pool): Promise<TimeRange> {
  const { rows } = await pool.query<{ from: Date; to: Date }>(
    'select min(hour) as from, max(hour) as to from hours',
  );
  const { from, to } = rows[0]!;
  return { fromMs: from.getTime(), toMs: to.getTime() + HOUR_MS };
}

/** What the lake holds. */
export async function readLake(
  pool: pg.Pool,
): Promise<{ files: number; bytes: number; clicks: number }> {
  const { rows } = await pool.query<Record<'files' | 'bytes' | 'clicks', string>>(
    `select count(*) as files, coalesce(sum(bytes), 0) as bytes, coalesce(sum(rows), 0) as clicks
       from lake_files`,
  );
  const row = rows[0]!;
  return { files: Number(row.files), bytes: Number(row.bytes), clicks: Number(row.clicks) };
}

/** A cell that a replay would change. */
export interface MovedCell {
  readonly adId: string;
  readonly minuteMs: number;
  readonly filter: string;
  readonly before: number;
  readonly after: number;
}

export interface PlannedChange {
  readonly cells: number;
  readonly causes: readonly string[];
  /** Those that would change most, first. */
  readonly most: readonly MovedCell[];
}

/** What the newest diff of each hour says would change. */
export async function readPlannedChange(pool: pg.Pool, filters: string[]): Promise<PlannedChange> {
  const newest = `select distinct on (hour) * from reconciliations order by hour, id desc`;
  const sums = await pool.query<{ cells: string; causes: string[] | null }>(
    `with newest as (${newest})
     select coalesce(sum(cells_differ), 0) as cells,
            (select array_agg(distinct cause) from newest, jsonb_object_keys(causes) cause) as causes
       from newest`,
  );
  const { rows } = await pool.query<{
    hour: Date;
    minute: number;
    ad_id: string;
    filter: string;
    base_count: string;
    new_count: string;
  }>(
    `with newest as (${newest})
     select n.hour, c.* from newest n join reconciliation_cells c on c.reconciliation = n.id
      where c.filter = any ($1)
      order by abs(c.new_count - c.base_count) desc, c.ad_id, n.hour, c.minute, c.filter limit 2`,
    [filters],
  );
  return {
    cells: Number(sums.rows[0]!.cells),
    causes: sums.rows[0]!.causes ?? [],
    most: rows.map((row) => ({
      adId: row.ad_id,
      minuteMs: row.hour.getTime() + row.minute * 60_000,
      filter: row.filter,
      before: Number(row.base_count),
      after: Number(row.new_count),
    })),
  };
}
