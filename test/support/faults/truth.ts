import { expect } from 'vitest';
import type pg from 'pg';
import { HOUR_MS, MINUTE_MS } from '../../../core/time.js';
import { cellDifferences, eachRecord, liveCells } from '../stream.js';
import type { Cells, LoggedRecord } from '../stream.js';

/** What the log says the counts are, computed without any code of the product. */
class Truth {
  readonly cells: Cells = new Map();
  readonly wrong: string[] = [];
  received = 0;
  counted = 0;
  quarantined = 0;
  private readonly seen = new Set<string>();

  /** `cuts`: hour ms → partition → next offset. `late`, `bad`: positions that Postgres has so. */
  constructor(
    private readonly cuts: ReadonlyMap<number, ReadonlyMap<number, number>>,
    private readonly late: ReadonlySet<string>,
    private readonly bad: ReadonlySet<string>,
  ) {}

  add({ partition, offset, value }: LoggedRecord): void {
    this.received++;
    const position = `${String(partition)}/${String(offset)}`;
    const click = clickOf(value);
    if ((click === null) !== this.bad.has(position)) this.wrong.push(`${position} quarantined?`);
    if (click === null) {
      this.quarantined++;
      return;
    }
    const hourMs = click.eventMs - (click.eventMs % HOUR_MS);
    const id = `${String(hourMs)}|${click.adId}|${click.eventId}`;
    const first = !this.seen.has(id);
    if (first) this.seen.add(id);
    const cut = this.cuts.get(hourMs);
    const isLate = this.late.has(position);
    if (cut !== undefined && offset >= (cut.get(partition) ?? 0)) {
      // A retry that shared a buffer with its first try may be a duplicate instead.
      if (first && !isLate) this.wrong.push(`${position} is above the cut and not late`);
      return;
    }
    if (isLate) this.wrong.push(`${position} is late, but not above a cut`);
    if (first) this.count(click);
  }

  private count(click: NaiveClick): void {
    this.counted++;
    const minuteMs = click.eventMs - (click.eventMs % MINUTE_MS);
    for (const filter of ['', ...click.filters]) {
      const cell = `${click.adId}|${String(minuteMs)}|${filter}`;
      this.cells.set(cell, (this.cells.get(cell) ?? 0) + 1);
    }
  }
}

interface NaiveClick {
  readonly eventId: string;
  readonly adId: string;
  readonly eventMs: number;
  readonly filters: readonly string[];
}

/** A click of the load, or null: the load's bad records are told by the three required fields. */
function clickOf(value: Buffer | null): NaiveClick | null {
  let body: Partial<Record<string, unknown>>;
  try {
    body = JSON.parse(value!.toString()) as typeof body;
  } catch {
    return null;
  }
  const { event_id: eventId, ad_id: adId, timestamp } = body;
  const eventMs = typeof timestamp === 'number' ? timestamp : Date.parse(String(timestamp));
  if (typeof eventId !== 'string' || typeof adId !== 'string' || Number.isNaN(eventMs)) return null;
  const country = body['country'] === 'UK' ? 'GB' : body['country'];
  const filters = Object.entries({ country, device: body['device'], format: body['ad_format'] });
  return {
    eventId,
    adId,
    eventMs,
    filters: filters.map(([name, text]) => `${name}:${(text as string | undefined) ?? 'unknown'}`),
  };
}

export interface Verdict {
  readonly received: number;
  readonly counted: number;
  readonly duplicate: number;
  readonly late: number;
  readonly quarantined: number;
  readonly cells: number;
}

/**
 * Compares all that Postgres holds of a topic with what the broker holds: every cell both ways,
 * each late and quarantined position, and the conservation of offsets. To be called when the stream
 * has counted everything.
 */
export async function expectExact(
  pool: pg.Pool,
  brokers: readonly string[],
  topic: string,
): Promise<Verdict> {
  const late = await positions(pool, 'late_clicks');
  const truth = new Truth(await cutsOf(pool), late, await positions(pool, 'quarantine'));
  await eachRecord(brokers, topic, (record) => {
    truth.add(record);
  });
  expect(truth.wrong, 'positions with another fate').toEqual([]);
  expect(cellDifferences(await liveCells(pool), truth.cells), 'cells that differ').toEqual([]);
  const duplicate = truth.received - truth.counted - truth.quarantined - late.size;
  const verdict: Verdict = {
    received: truth.received,
    counted: truth.counted,
    duplicate,
    late: late.size,
    quarantined: truth.quarantined,
    cells: truth.cells.size,
  };
  await expectConserved(pool, verdict);
  return verdict;
}

/** Positions as `partition/offset`; none may be there twice. */
async function positions(
  pool: pg.Pool,
  table: 'late_clicks' | 'quarantine',
): Promise<ReadonlySet<string>> {
  const { rows } = await pool.query<{ position: string }>(
    `select partition || '/' || log_offset as position
       from ${table} join stream_progress using (slot)`,
  );
  const distinct = new Set(rows.map((row) => row.position));
  expect(distinct.size, `positions twice in ${table}`).toBe(rows.length);
  return distinct;
}

async function cutsOf(pool: pg.Pool): Promise<Map<number, Map<number, number>>> {
  const { rows } = await pool.query<{ hour: Date; partition: number | null; next: string }>(
    `select h.hour, p.partition, c.next_offset as next
       from hours h left join hour_cuts c using (hour) left join stream_progress p using (slot)
      where h.state = 'cut'`,
  );
  const cuts = new Map<number, Map<number, number>>();
  for (const { hour, partition, next } of rows) {
    const cut = cuts.get(hour.getTime()) ?? new Map<number, number>();
    cuts.set(hour.getTime(), cut);
    if (partition !== null) cut.set(partition, Number(next));
  }
  return cuts;
}

/** Flushes follow each other without a gap, and their fates add up to the truth (I3). */
async function expectConserved(pool: pg.Pool, truth: Verdict): Promise<void> {
  const { rows } = await pool.query<Record<string, string>>(
    `with f as (select f.*, lag(to_offset, 1, 0::bigint) over w as expected,
                       lead(from_offset) over w is null as last
                  from flushes f window w as (partition by slot order by from_offset))
     select count(*) filter (where from_offset <> expected) as gaps,
            count(*) filter (where last and to_offset <> p.next_offset) as unfinished,
            count(*) filter (where to_offset - from_offset <> counted + duplicate + filtered + late
                             + quarantined + lost + control) as residuals,
            sum(to_offset - from_offset) as received, sum(counted) as counted,
            sum(duplicate) as duplicate, sum(late) as late, sum(quarantined) as quarantined,
            sum(lost) as lost, sum(filtered) as filtered,
            (select sum(n) from minute_flow, unnest(counted) n) as counted_minutes,
            (select sum(n) from minute_flow, unnest(duplicate) n) as duplicate_minutes,
            (select sum(n) from minute_flow, unnest(late) n) as late_minutes
       from f join stream_progress p using (slot)`,
  );
  const found = Object.fromEntries(Object.entries(rows[0]!).map(([k, v]) => [k, Number(v)]));
  expect(found, 'conservation').toEqual({
    gaps: 0,
    unfinished: 0,
    residuals: 0,
    received: truth.received,
    counted: truth.counted,
    duplicate: truth.duplicate,
    late: truth.late,
    quarantined: truth.quarantined,
    lost: 0,
    filtered: 0,
    counted_minutes: truth.counted,
    duplicate_minutes: truth.duplicate,
    late_minutes: truth.late,
  });
}
