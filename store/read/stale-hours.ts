import type { TimeRange } from '../../core/range.js';
import type { StaleHour } from '../../core/rules/stale.js';
import { readRows, type Reader } from './connection.js';
import { exactNumber } from './values.js';

/** A rule set as if it were in force already, as the newest version. */
export interface SupposedRules {
  readonly hash: string;
  readonly sinceMs: number;
}

const SQL = `
  select h.hour, p.revision, g.rule_set as counted_by, wanted.hash as in_force,
         exists (select from hour_holds x where x.hour = h.hour and x.released is null) as held,
         lake.files, lake.bytes, lake.clicks
    from ledger_head head
   cross join hours h
   cross join lateral served_pointer(h.hour, head.publication) p
    join generations g on g.id = p.generation
   cross join lateral (
     select case when h.hour >= $4 then $3 else rule_set_for(h.hour) end as hash
   ) wanted
   cross join lateral (
     select count(*) as files, coalesce(sum(f.bytes), 0) as bytes, coalesce(sum(x.rows), 0) as clicks
       from lake_file_hours x join lake_files f on f.id = x.file
      where x.hour = h.hour
   ) lake
   where h.hour >= $1 and h.hour < $2 and g.rule_set <> wanted.hash
   order by h.hour`;

interface Row {
  hour: Date;
  revision: number;
  counted_by: string;
  in_force: string;
  held: boolean;
  files: string;
  bytes: string;
  clicks: string;
}

/**
 * The final hours, of a range or all, that are counted by another rule set than the one in force for
 * them; ascending. Throws as `readRows`.
 * @param supposed asks what would be, if this were put in force
 */
export async function readStaleHours(
  reader: Reader,
  range: TimeRange | null,
  supposed?: SupposedRules,
): Promise<StaleHour[]> {
  const rows = await readRows<Row>(reader, 'stale-hours', SQL, [
    range === null ? '-infinity' : new Date(range.fromMs),
    range === null ? 'infinity' : new Date(range.toMs),
    supposed?.hash ?? null,
    supposed === undefined ? null : new Date(supposed.sinceMs),
  ]);
  return rows.map((row) => ({
    hourMs: row.hour.getTime(),
    revision: row.revision,
    countedBy: row.counted_by,
    inForce: row.in_force,
    held: row.held,
    files: exactNumber(row.files),
    bytes: exactNumber(row.bytes),
    clicks: exactNumber(row.clicks),
  }));
}
