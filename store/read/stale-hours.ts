import type { TimeRange } from '../../core/range.js';
import { countedAge, type StaleHour } from '../../core/rules/stale.js';
import { readRows, type Reader } from './connection.js';
import { exactNumber } from './values.js';

/** A rule set as if it were in force already, as the newest version. */
export interface SupposedRules {
  readonly hash: string;
  readonly sinceMs: number;
}

// Which version a rule set is that was put several times: see `StaleHour`.
const SQL = `
  with versions as (
    select version, hash, since from rule_versions
     union all
    select max(version) + 1, $3::text, $4::timestamptz from rule_versions having $3::text is not null
  )
  select h.hour, p.revision, g.rule_set as counted_by, own.version as counted_by_version,
         wanted.hash as in_force, wanted.version as in_force_version,
         exists (select from hour_holds x where x.hour = h.hour and x.released is null) as held,
         lake.files, lake.bytes, lake.clicks
    from ledger_head head
   cross join hours h
   cross join lateral served_pointer(h.hour, head.publication) p
    join generations g on g.id = p.generation
   cross join lateral (
     select version, hash from versions where since is null or since <= h.hour
      order by version desc limit 1
   ) wanted
    left join lateral (
     select version from versions where hash = g.rule_set
      order by version < wanted.version and (since is null or since <= h.hour) desc,
               version < wanted.version desc, version desc
      limit 1
   ) own on true
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
  counted_by_version: number | null;
  in_force: string;
  in_force_version: number;
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
    countedByVersion: row.counted_by_version,
    inForce: row.in_force,
    inForceVersion: row.in_force_version,
    age: countedAge(row.counted_by_version, row.in_force_version),
    held: row.held,
    files: exactNumber(row.files),
    bytes: exactNumber(row.bytes),
    clicks: exactNumber(row.clicks),
  }));
}
