import { bucketOf } from '../../core/lake-file.js';
import type { Cut } from '../../core/cut.js';
import type { HourPublication, SourceFile, SourceRange } from '../../core/explain.js';
import type { LedgerBody, LedgerHour } from '../../core/ledger.js';
import { formatTime } from '../../core/range.js';
import { readRows, type Reader } from './connection.js';
import { exactNumber } from './values.js';

export interface FilesQuestion {
  readonly hourMs: number;
  readonly adId: string;
  /** Its recorded files; null: those of the hour that reach below `cut`. */
  readonly generation: number | null;
  readonly cut: Cut;
}

const FILES = `
  select f.id, f.key, f.bytes, f.sha256, f.rows, h.rows as hour_rows, f.bucket, f.buckets,
         (select json_agg(json_build_object('topic', p.topic, 'partition', p.partition,
                   'fromOffset', r.from_offset, 'toOffset', r.to_offset, 'rows', r.rows)
                   order by p.topic, p.partition)
            from lake_file_ranges r join stream_progress p using (slot)
           where r.file = f.id) as ranges
    from lake_file_hours h
    join lake_files f on f.id = h.file
   where h.hour = $1
     and case when $2::bigint is null
           then exists (
             select from lake_file_ranges r
               join stream_progress p using (slot)
               join unnest($3::text[], $4::int[], $5::bigint[]) c (topic, "partition", next_offset)
                 on c.topic = p.topic and c.partition = p.partition
              where r.file = f.id and r.from_offset < c.next_offset)
           else exists (select from generation_files g where g.generation = $2 and g.file = f.id)
         end
   order by f.id`;

interface FileRow {
  id: string;
  key: string;
  bytes: string;
  sha256: string;
  rows: string;
  hour_rows: string;
  bucket: number;
  buckets: number;
  ranges: SourceRange[] | null;
}

/** The files that may hold clicks of the ad: of its bucket, in the order they were committed. */
export async function explainFiles(
  reader: Reader,
  { hourMs, adId, generation, cut }: FilesQuestion,
): Promise<SourceFile[]> {
  const rows = await readRows<FileRow>(reader, 'explain-files', FILES, [
    new Date(hourMs),
    generation,
    cut.map(({ topic }) => topic),
    cut.map(({ partition }) => partition),
    cut.map(({ nextOffset }) => nextOffset),
  ]);
  const bytes = new TextEncoder().encode(adId);
  return rows
    .filter(({ bucket, buckets }) => bucketOf(bytes, buckets) === bucket)
    .map((row) => ({
      id: exactNumber(row.id),
      key: row.key,
      bytes: exactNumber(row.bytes),
      sha256: row.sha256,
      rows: exactNumber(row.rows),
      hourRows: exactNumber(row.hour_rows),
      bucket: row.bucket,
      buckets: row.buckets,
      ranges: row.ranges ?? [],
    }));
}

// The tables say which entries are about the hour.
const ENTRIES = `
  select publication, kind, at, body
    from ledger
   where publication <= $2
     and publication in (
       select publication from pointers where hour = $1
       union select publication from hour_holds where hour = $1
       union select released from hour_holds where hour = $1
       union select x.publication from examined_cuts x
               join generations g on g.id = x.generation where g.hour = $1)
   order by publication`;

const DECISIONS = `
  select id, cells_differ, drift, decision from reconciliations where id = any ($1::bigint[])`;

interface EntryRow {
  publication: string;
  kind: string;
  at: Date;
  body: string;
}

interface DecisionRow {
  id: string;
  cells_differ: string;
  drift: number;
  decision: string;
}

/**
 * Every entry of the ledger about the hour up to a publication number, ascending. What an entry says
 * is read here, not by Postgres: jsonb takes less than JSON (no U+0000), and entries stay for ever.
 */
export async function explainPublications(
  reader: Reader,
  hourMs: number,
  asOf: number,
): Promise<HourPublication[]> {
  const rows = await readRows<EntryRow>(reader, 'explain-entries', ENTRIES, [
    new Date(hourMs),
    asOf,
  ]);
  const hour = formatTime(hourMs);
  const entries = rows.flatMap(({ body, ...row }) => {
    const { actor, reason, hours } = JSON.parse(body) as LedgerBody;
    const found = hours.find((one) => one.hour === hour);
    return found === undefined ? [] : [{ ...row, actor, reason, found }];
  });
  const decisions = await decisionsOf(
    reader,
    entries.map(({ found }) => found.reconciliation),
  );
  return entries.map(({ publication, kind, at, actor, reason, found }) => ({
    publication: exactNumber(publication),
    kind,
    revision: found.revision,
    atMs: at.getTime(),
    actor,
    reason,
    inputs: found.inputs,
    ruleSet: found.rule_set,
    reconciliation: decisions.get(found.reconciliation) ?? null,
  }));
}

async function decisionsOf(
  reader: Reader,
  ids: readonly LedgerHour['reconciliation'][],
): Promise<ReadonlyMap<number | null, HourPublication['reconciliation']>> {
  const rows = await readRows<DecisionRow>(reader, 'explain-decisions', DECISIONS, [
    ids.filter((id) => Number.isSafeInteger(id)),
  ]);
  return new Map(
    rows.map(({ id, cells_differ, drift, decision }) => [
      exactNumber(id),
      { id: exactNumber(id), cellsDiffer: exactNumber(cells_differ), drift, decision },
    ]),
  );
}
