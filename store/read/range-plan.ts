import type { TimeRange } from '../../core/range.js';
import type { PastBuild } from '../../core/range-plan.js';
import { readRows, type Reader } from './connection.js';
import { exactNumber } from './values.js';

/** What the lake holds of an hour. A file that hours share is read for each of them. */
export interface HourVolume {
  readonly files: number;
  readonly bytes: number;
  readonly rows: number;
}

/** What the lake holds of each hour of a range, by the hour's first ms; hours without files lack. */
export async function hourVolumes(
  reader: Reader,
  range: TimeRange,
): Promise<ReadonlyMap<number, HourVolume>> {
  const rows = await readRows<{ hour: Date; files: string; bytes: string; rows: string }>(
    reader,
    'hour-volumes',
    `select h.hour, count(*) as files, sum(f.bytes) as bytes, sum(h.rows) as rows
       from lake_file_hours h join lake_files f on f.id = h.file
      where h.hour >= $1 and h.hour < $2
      group by h.hour`,
    [new Date(range.fromMs), new Date(range.toMs)],
  );
  return new Map(
    rows.map((row) => [
      row.hour.getTime(),
      {
        files: exactNumber(row.files),
        bytes: exactNumber(row.bytes),
        rows: exactNumber(row.rows),
      },
    ]),
  );
}

/** The last generations that were made, of any hour. */
export async function lastBuilds(reader: Reader, limit: number): Promise<PastBuild[]> {
  const rows = await readRows<{ built_at: Date; rows: string }>(
    reader,
    'last-builds',
    `select g.built_at, (select sum(n) from unnest(g.received) n) as rows
       from generations g order by g.id desc limit $1`,
    [limit],
  );
  return rows.map((row) => ({ builtAtMs: row.built_at.getTime(), rows: exactNumber(row.rows) }));
}

/** A generation that may be compared or published. */
export interface Candidate {
  readonly hourMs: number;
  readonly generation: number;
  readonly ruleSet: string;
  readonly checksum: string;
  /** Its cells were removed by retention. */
  readonly collected: boolean;
  /** The last diff of it, where one is asked for. */
  readonly reconciliation: {
    readonly id: number;
    readonly decision: string;
    readonly cellsDiffer: number;
    /** The generation that served then, which it was compared with; null: the live count. */
    readonly base: number | null;
  } | null;
  /** The revision by which it served, where one is asked for. */
  readonly revision: number | null;
}

interface CandidateRow {
  hour: Date;
  generation: string;
  rule_set: string;
  checksum: string;
  collected: boolean;
  reconciliation: string | null;
  decision: string;
  cells_differ: string;
  base: string | null;
  revision: number | null;
}

const GENERATION = `g.id as generation, g.rule_set, g.checksum, g.collected_at is not null as collected`;
const NO_DIFF = `null::bigint as reconciliation, '' as decision, 0 as cells_differ, null::bigint as base`;

/** Of each hour the generation that was compared last. */
export async function lastReconciled(reader: Reader, range: TimeRange): Promise<Candidate[]> {
  return candidates(
    reader,
    'last-reconciled',
    `select distinct on (r.hour) r.hour, ${GENERATION}, r.id as reconciliation, r.decision,
            r.cells_differ, r.base, null as revision
       from reconciliations r join generations g on g.id = r.generation
      where r.hour >= $1 and r.hour < $2
      order by r.hour, r.id desc`,
    range,
  );
}

/** Of each hour and rule set the generation that was made last, the newest first. */
export async function lastMade(reader: Reader, range: TimeRange): Promise<Candidate[]> {
  return candidates(
    reader,
    'last-made',
    `select * from (
       select distinct on (g.hour, g.rule_set) g.hour, ${GENERATION}, ${NO_DIFF}, null::int as revision
         from generations g
        where g.hour >= $1 and g.hour < $2 and g.collected_at is null
        order by g.hour, g.rule_set, g.id desc) made
      order by hour, generation desc`,
    range,
  );
}

/**
 * Of each hour the generation of a revision: the one asked for, else the newest from before what serves
 * served for the first time. So rolling back again goes further back, and never forward.
 */
export async function earlierRevisions(
  reader: Reader,
  range: TimeRange,
  revision: number | null,
): Promise<Candidate[]> {
  return candidates(
    reader,
    'earlier-revisions',
    `select p.hour, ${GENERATION}, ${NO_DIFF}, p.revision
       from pointers p join generations g on g.id = p.generation
      where p.hour >= $1 and p.hour < $2
        and p.revision = coalesce($3::int,
              (select min(n.revision) - 1 from pointers n
                where n.hour = p.hour
                  and n.generation = (select generation from pointers s where s.hour = p.hour
                                       order by revision desc limit 1)))
      order by p.hour`,
    range,
    revision,
  );
}

async function candidates(
  reader: Reader,
  name: string,
  sql: string,
  { fromMs, toMs }: TimeRange,
  ...more: readonly unknown[]
): Promise<Candidate[]> {
  const values = [new Date(fromMs), new Date(toMs), ...more];
  const rows = await readRows<CandidateRow>(reader, name, sql, values);
  return rows.map((row) => ({
    hourMs: row.hour.getTime(),
    generation: exactNumber(row.generation),
    ruleSet: row.rule_set,
    checksum: row.checksum,
    collected: row.collected,
    reconciliation:
      row.reconciliation === null
        ? null
        : {
            id: exactNumber(row.reconciliation),
            decision: row.decision,
            cellsDiffer: exactNumber(row.cells_differ),
            base: row.base === null ? null : exactNumber(row.base),
          },
    revision: row.revision,
  }));
}
