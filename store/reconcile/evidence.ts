import type pg from 'pg';
import { coversCut } from '../../core/cut.js';
import type { Cut, CutPosition } from '../../core/cut.js';
import { TruecountError } from '../../core/errors.js';
import { formatTime } from '../../core/range.js';
import type { HourEvidence, PartitionBooks } from '../../core/reconcile.js';
import { parseRuleSet } from '../../core/rules/parse.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { MINUTES_PER_HOUR } from '../../core/time.js';
import { CUT_JSON } from '../generations/cut.js';

/** A generation and what it is compared with, as they are now. */
export interface Sides {
  readonly hourMs: number;
  readonly generation: Side;
  /** null: what was counted live. */
  readonly base: Side | null;
  /** What live is counted by. */
  readonly pin: StoredRules;
  readonly hourCut: Cut;
  /** Newest revision; 0: none. */
  readonly revision: number;
  readonly served: number | null;
  readonly checksum: string;
  readonly servedChecksum: string | null;
  /** Hash of the rule set of what serves. */
  readonly servedRules: string | null;
}

export interface StoredRules {
  readonly hash: string;
  readonly ruleSet: RuleSet;
}

export interface Side {
  readonly id: number;
  readonly rules: StoredRules;
  readonly cut: Cut;
  readonly cells: number;
  readonly flow: HourEvidence['flow'];
}

interface SideRow {
  id: string;
  hour: Date;
  hash: string;
  body: unknown;
  cut: CutPosition[];
  cells: string;
  checksum: string;
  collected: boolean;
  received: string[];
  counted: string[];
  duplicate: string[];
  filtered: string[];
}

/**
 * Finds both sides and keeps a collection of their cells waiting until the end of the transaction.
 * @throws TruecountError `not_found`, `collected`, `conflict` (the hour is not cut, or nothing serves)
 */
export async function findSides(
  client: pg.ClientBase,
  hourMs: number,
  generation: number,
  against: 'live' | 'served',
): Promise<Sides> {
  const hour = formatTime(hourMs);
  const { rows } = await client.query<{
    hash: string;
    body: unknown;
    is_cut: boolean;
    cut: CutPosition[];
    revision: number | null;
    served: string | null;
  }>(
    `select h.rule_set as hash, r.body, h.state = 'cut' as is_cut,
            (select ${CUT_JSON} from hour_cuts c join stream_progress s using (slot)
              where c.hour = h.hour) as cut,
            p.revision, p.generation as served
       from hours h join rule_sets r on r.hash = h.rule_set
       left join lateral (
         select revision, generation from pointers where hour = h.hour
          order by revision desc limit 1
       ) p on true
      where h.hour = $1`,
    [new Date(hourMs)],
  );
  const found = rows[0];
  if (found === undefined) throw new TruecountError('not_found', `there is no hour ${hour}`);
  if (!found.is_cut) {
    throw new TruecountError('conflict', `${hour} is not cut: the stream counts into it`, {
      hint: 'cut it first: `truecount cut` or `truecount replay` do',
    });
  }
  if (against === 'served' && found.served === null) {
    throw new TruecountError('conflict', `nothing is published for ${hour} yet`, {
      hint: 'compare with what was counted live',
    });
  }
  const served = found.served === null ? null : Number(found.served);
  const sides = await lockGenerations(client, hourMs, generation, served);
  return {
    hourMs,
    generation: sides.get(generation)!.side,
    base: against === 'live' ? null : sides.get(served!)!.side,
    pin: { hash: found.hash, ruleSet: parseRuleSet(found.body) },
    hourCut: found.cut,
    revision: found.revision ?? 0,
    served,
    checksum: sides.get(generation)!.checksum,
    servedChecksum: served === null ? null : sides.get(served)!.checksum,
    servedRules: served === null ? null : sides.get(served)!.side.rules.hash,
  };
}

async function lockGenerations(
  client: pg.ClientBase,
  hourMs: number,
  generation: number,
  served: number | null,
): Promise<Map<number, { side: Side; checksum: string }>> {
  const wanted = served === null ? [generation] : [generation, served];
  const { rows } = await client.query<SideRow>(
    `select g.id, g.hour, g.rule_set as hash, r.body, g.cells, g.checksum,
            g.collected_at is not null as collected,
            g.received, g.counted, g.duplicate, g.filtered,
            (select ${CUT_JSON} from generation_cuts c join stream_progress s using (slot)
              where c.generation = g.id) as cut
       from generations g join rule_sets r on r.hash = g.rule_set
      where g.id = any ($1::bigint[])
      order by g.id
        for share of g`,
    [wanted],
  );
  const sides = new Map(rows.map((row) => [Number(row.id), row]));
  const row = sides.get(generation);
  const name = `generation ${String(generation)}`;
  if (row === undefined || row.hour.getTime() !== hourMs) {
    throw new TruecountError('not_found', `${formatTime(hourMs)} has no ${name}`);
  }
  if (row.collected) {
    throw new TruecountError('collected', `the cells of ${name} have been collected`, {
      hint: 'recompute the hour with the same rule set: it gives the same cells',
    });
  }
  return new Map(rows.map((r) => [Number(r.id), { side: toSide(r), checksum: r.checksum }]));
}

function toSide(row: SideRow): Side {
  return {
    id: Number(row.id),
    rules: { hash: row.hash, ruleSet: parseRuleSet(row.body) },
    cut: row.cut,
    cells: Number(row.cells),
    flow: {
      received: row.received.map(Number),
      counted: row.counted.map(Number),
      duplicate: row.duplicate.map(Number),
      filtered: row.filtered.map(Number),
    },
  };
}

const SUMS = (column: string): string =>
  `array[${Array.from({ length: MINUTES_PER_HOUR }, (_, i) => `sum(${column}[${String(i + 1)}])`).join()}]`;

const ALL_FATES = Array.from({ length: MINUTES_PER_HOUR }, (_, i) => {
  const at = `[${String(i + 1)}]`;
  return `f.counted${at} + f.duplicate${at} + f.filtered${at} + f.late${at}`;
}).join();

const LOST = (table: string, from: string): string => `
  (select coalesce(sum(least(l.to_offset, c.next_offset) - greatest(l.from_offset, ${from})), 0)
     from generation_cuts c join ${table} l using (slot)
     left join generation_cuts b on b.generation = $3 and b.slot = c.slot
    where c.generation = $2 and l.from_offset < c.next_offset and l.to_offset > ${from}
      and loss_concerns(l.noted_at, $1))`;

// Numbers as text, whatever their type: converted in one place.
const BOOKS = `
  select ${SUMS('f.counted')}::text[] as counted, ${SUMS('f.duplicate')}::text[] as duplicate,
         ${SUMS('f.filtered')}::text[] as filtered,
         (select json_object_agg(minute, n) from (
            select l.minute, count(*) as n
              from generation_cuts c join late_clicks l using (slot)
             where c.generation = $2 and l.hour = $1 and l.log_offset < c.next_offset
             group by l.minute) late) as late,
         exists (select from hour_causes where hour = $1) as memory_lost,
         ${LOST('loss_intervals', '0')} as stream_lost,
         ${LOST('loss_intervals', 'coalesce(b.next_offset, 0)')} as stream_lost_in_diff,
         ${LOST('archive_losses', '0')} as archive_lost
    from minute_flow f where f.hour = $1`;

const PARTITIONS = `
  select s.topic, s.partition, s.next_offset as stream_next,
         coalesce(p.next_offset, 0) as archive_next,
         array[${ALL_FATES}] as stream, a.received as archive,
         exists (select from loss_intervals l
                  where l.slot = s.slot and loss_concerns(l.noted_at, $1))
           or exists (select from archive_losses l
                       where l.slot = s.slot and loss_concerns(l.noted_at, $1)) as lossy
    from stream_progress s
    left join archive_progress p using (slot)
    left join minute_flow f on f.hour = $1 and f.slot = s.slot
    left join archive_flow a on a.hour = $1 and a.slot = s.slot
   where f.slot is not null or a.slot is not null
   order by s.topic, s.partition`;

/** Everything but the cells. */
export async function readEvidence(client: pg.ClientBase, sides: Sides): Promise<HourEvidence> {
  const hour = new Date(sides.hourMs);
  const { generation, base } = sides;
  const books = await client.query<Record<string, unknown>>(BOOKS, [
    hour,
    generation.id,
    base?.id ?? null,
  ]);
  const row = books.rows[0]!;
  const late = (row['late'] ?? {}) as Readonly<Record<string, number>>;
  return {
    against: base === null ? 'live' : 'served',
    coversBase:
      coversCut(generation.cut, sides.hourCut) &&
      (base === null || coversCut(generation.cut, base.cut)),
    flow: generation.flow,
    streamCounted: numbers(row['counted']),
    streamDuplicate: numbers(row['duplicate']),
    streamFiltered: numbers(row['filtered']),
    late: Array.from({ length: MINUTES_PER_HOUR }, (_, minute) => late[minute] ?? 0),
    memoryLost: row['memory_lost'] === true,
    streamLost: Number(row['stream_lost']),
    streamLostInDiff: Number(row['stream_lost_in_diff']),
    archiveLost: Number(row['archive_lost']),
    partitions: await readPartitions(client, hour),
  };
}

async function readPartitions(client: pg.ClientBase, hour: Date): Promise<PartitionBooks[]> {
  const { rows } = await client.query<Record<string, unknown>>(PARTITIONS, [hour]);
  return rows.map((row) => ({
    topic: String(row['topic']),
    partition: Number(row['partition']),
    streamNext: Number(row['stream_next']),
    archiveNext: Number(row['archive_next']),
    stream: numbers(row['stream']),
    archive: numbers(row['archive']),
    lossy: row['lossy'] === true,
  }));
}

/** 60 numbers of an array from Postgres; none where there is no row. */
function numbers(column: unknown): number[] {
  const values = (column ?? []) as readonly (string | number | null)[];
  return Array.from({ length: MINUTES_PER_HOUR }, (_, minute) => Number(values[minute] ?? 0));
}
