import { TruecountError } from '../../core/errors.js';
import { formatTime } from '../../core/range.js';
import { MINUTE_MS, MINUTES_PER_HOUR } from '../../core/time.js';
import { checkAsOf } from './as-of.js';
import { readRows, type Reader } from './connection.js';
import { exactNumber } from './values.js';

/** A cell that one revision changed. */
export interface Change {
  readonly publication: number;
  readonly hourMs: number;
  readonly revision: number;
  /** '' is the unfiltered total. */
  readonly filter: string;
  readonly adId: string;
  readonly minuteMs: number;
  /** Under the revision before; before the first one 0. */
  readonly before: number;
  readonly count: number;
}

/** A revision of an hour that the page has come to the end of, or to a part of. */
export interface ChangedHour {
  readonly publication: number;
  readonly hourMs: number;
  readonly revision: number;
  readonly generation: number;
}

/** The last cell that was given; the walk goes on behind it. */
export interface ChangePosition {
  /** The walk ends with this publication: all of its pages are of one truth. */
  readonly upTo: number;
  readonly publication: number;
  readonly hourMs: number;
  /** Within the hour; null: all of the hour was given. */
  readonly cell: { readonly filter: string; readonly adId: string; readonly minute: number } | null;
}

export interface ChangesQuestion {
  /** Changes of later publications than this. */
  readonly after: number;
  /** Cells at most. */
  readonly limit: number;
  /** Where the page before ended. */
  readonly position?: ChangePosition | undefined;
}

export interface ChangesAnswer {
  /** The publication that a reader of all pages has then. */
  readonly asOf: number;
  readonly changes: readonly Change[];
  readonly hours: readonly ChangedHour[];
  /** Where the next page begins; null: this was the last. */
  readonly next: ChangePosition | null;
}

/** Revisions that one page looks at: revisions that changed nothing must not make it endless. */
const REVISIONS_PER_PAGE = 200;

// Two more than a page looks at: the one where the page before ended, and one that tells of more.
const REVISIONS = `
  select head.publication as newest, coalesce($2::bigint, head.publication) as up_to,
         p.publication, p.hour, p.revision, p.generation, before.generation as before
    from ledger_head head
    left join lateral (
      select * from pointers
       where publication > $1 and publication <= coalesce($2::bigint, head.publication)
         and ($3::bigint is null or (publication, hour) >= ($3::bigint, $4::timestamptz))
       order by publication, hour
       limit ${String(REVISIONS_PER_PAGE + 2)}
    ) p on true
    left join pointers before on before.hour = p.hour and before.revision = p.revision - 1
   order by p.publication, p.hour`;

// Whether the cells are still here is seen in the same snapshot as the cells.
const CELLS = `
  select c.*, (select min(id) from generations
                where id in ($1::bigint, $2::bigint) and collected_at is not null) as collected
    from (values (1)) one left join changed_cells($1::bigint, $2::bigint, $3, $4, $5) c on true`;

interface RevisionRow {
  newest: string;
  up_to: string;
  publication: string | null;
  hour: Date;
  revision: number;
  generation: string;
  before: string | null;
}

interface CellsRow {
  filter: string | null;
  ad_id: string;
  now_counts: number[] | null;
  was_counts: number[] | null;
  collected: string | null;
}

/**
 * One page of the restatement feed: the cells in which revisions differ from the ones before, in the
 * order of publication, hour, filter, ad_id (bytewise) and minute. It is worked out of pointers and
 * generations, which never change, so a page asked for again is the same.
 * @throws TruecountError `not_found` for a publication above the newest, `collected` where a
 * generation that it would need has been removed; what `readRows` throws
 */
export async function readChanges(
  reader: Reader,
  { after, limit, position }: ChangesQuestion,
): Promise<ChangesAnswer> {
  const revisions = await readRows<RevisionRow>(reader, 'changed-revisions', REVISIONS, [
    after,
    position?.upTo ?? null,
    position?.publication ?? null,
    position === undefined ? null : new Date(position.hourMs),
  ]);
  const newest = exactNumber(revisions[0]!.newest);
  const upTo = exactNumber(revisions[0]!.up_to);
  checkAsOf(Math.max(after, upTo), newest);
  const changes: Change[] = [];
  const hours: ChangedHour[] = [];
  for (const row of revisions) {
    if (row.publication === null) break;
    const hour = toHour(row, row.publication);
    const at = isAt(position, hour) ? position : undefined;
    if (at !== undefined && at.cell === null) continue;
    if (changes.length === limit || hours.length === REVISIONS_PER_PAGE) {
      return { asOf: upTo, changes, hours, next: endOf(upTo, hours.at(-1)!) };
    }
    hours.push(hour);
    const found = await cellsOf(reader, row, hour, limit - changes.length, at?.cell ?? null);
    changes.push(...found.changes);
    if (found.more) {
      return { asOf: upTo, changes, hours, next: behind(upTo, changes.at(-1)!) };
    }
  }
  return { asOf: upTo, changes, hours, next: null };
}

function isAt(position: ChangePosition | undefined, hour: ChangedHour): boolean {
  return position?.publication === hour.publication && position.hourMs === hour.hourMs;
}

function endOf(upTo: number, { publication, hourMs }: ChangedHour): ChangePosition {
  return { upTo, publication, hourMs, cell: null };
}

function behind(upTo: number, change: Change): ChangePosition {
  const { publication, hourMs, filter, adId, minuteMs } = change;
  const cell = { filter, adId, minute: (minuteMs - hourMs) / MINUTE_MS };
  return { upTo, publication, hourMs, cell };
}

function toHour(row: RevisionRow, publication: string): ChangedHour {
  return {
    publication: exactNumber(publication),
    hourMs: row.hour.getTime(),
    revision: row.revision,
    generation: exactNumber(row.generation),
  };
}

/** At most `limit` changed cells of a revision behind `cell`, and whether there are more. */
async function cellsOf(
  reader: Reader,
  row: RevisionRow,
  hour: ChangedHour,
  limit: number,
  cell: ChangePosition['cell'],
): Promise<{ changes: Change[]; more: boolean }> {
  // One more than the limit tells whether there are more; the row of `cell` may be used up.
  const rows = await readRows<CellsRow>(reader, 'changed-cells', CELLS, [
    row.generation,
    row.before,
    cell?.filter ?? '',
    cell?.adId ?? '',
    limit + 2,
  ]);
  const collected = rows[0]?.collected ?? null;
  if (collected !== null) throw collectedError(collected, hour);
  const changes = rows.flatMap((found) => changesIn(found, hour, cell));
  return { changes: changes.slice(0, limit), more: changes.length > limit };
}

function changesIn(row: CellsRow, hour: ChangedHour, cell: ChangePosition['cell']): Change[] {
  if (row.filter === null) return [];
  const from =
    cell !== null && row.filter === cell.filter && row.ad_id === cell.adId ? cell.minute + 1 : 0;
  const changes: Change[] = [];
  for (let minute = from; minute < MINUTES_PER_HOUR; minute++) {
    const before = row.was_counts?.[minute] ?? 0;
    const count = row.now_counts?.[minute] ?? 0;
    if (before === count) continue;
    changes.push({
      publication: hour.publication,
      hourMs: hour.hourMs,
      revision: hour.revision,
      filter: row.filter,
      adId: row.ad_id,
      minuteMs: hour.hourMs + minute * MINUTE_MS,
      before,
      count,
    });
  }
  return changes;
}

function collectedError(generation: string, { hourMs, revision }: ChangedHour): TruecountError {
  return new TruecountError(
    'collected',
    `revision ${String(revision)} of ${formatTime(hourMs)} cannot be told any more: ` +
      `generation ${generation} has been collected`,
    {
      hint: 'read the counts anew, then follow from the as_of of that answer',
      context: { generation: Number(generation), hour: formatTime(hourMs), revision },
    },
  );
}
