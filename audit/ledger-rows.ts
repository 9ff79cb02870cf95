import type pg from 'pg';
import { coversCut, type Cut } from '../core/cut.js';
import type { LedgerBody, LedgerHour } from '../core/ledger.js';
import { formatTime, type TimeRange } from '../core/range.js';
import { rowsOf } from './cursor.js';
import type { Ledger } from './ledger-entries.js';
import { Findings, findingsCheck, type Check } from './report.js';
import { exactNumber, rangeParameters, type Scope } from './sql-check.js';

type LedgerCut = LedgerHour['cut'];

interface ExaminedRow {
  generation: string;
  hour: Date;
  /** The revisions of the hour that point to it. */
  revisions: number[];
  cut: LedgerCut;
  /** By publication; 0: its own cut. */
  examined: Record<string, LedgerCut>;
}

/** A cut as the ledger writes it; a slot that is none shows as nulls. */
const cutOf = (rows: string): string => `
  coalesce(json_agg(json_build_array(s.topic, s.partition, ${rows}.next_offset)
                    order by s.topic, s.partition), '[]')`;

/**
 * Which late clicks have been looked at: the generation's own cut, and the cut of each confirmation
 * in the ledger, both ways. Of all generations of the range: answers of the past read them, too.
 */
export async function auditExamined(
  client: pg.ClientBase,
  { range }: Scope,
  { bodies, faults }: Ledger,
): Promise<Check> {
  const findings = new Findings();
  const confirmed = confirmedCuts(bodies);
  let cuts = 0;
  for await (const row of examinedRows(client, range)) {
    const { examined, cut, generation } = row;
    const wanted = new Map([[0, cut]]);
    for (const revision of row.revisions) {
      const entries = confirmed.get(revisionName(row.hour.getTime(), revision)) ?? [];
      for (const entry of entries) wanted.set(entry.publication, entry.cut);
    }
    const named = new Set([...Object.keys(examined).map(Number), ...wanted.keys()]);
    cuts += named.size;
    for (const publication of named) {
      if (faults.has(publication)) continue;
      const found = examined[String(publication)] ?? [];
      const problem = examinedProblem(wanted.get(publication), found, cut);
      if (problem === null) continue;
      const hour = formatTime(row.hour.getTime());
      const expected = wanted.get(publication) ?? null;
      findings.add(() => ({ hour, generation, publication, problem, expected, found }));
    }
  }
  return findingsCheck(
    'I8',
    'examined_cuts',
    findings,
    { 'examined cuts': cuts },
    {
      holds:
        'a generation’s clicks are examined up to its own cut, and up to those that the ledger’s ' +
        'confirmations of it name',
    },
  );
}

function examinedProblem(
  wanted: LedgerCut | undefined,
  found: LedgerCut,
  own: LedgerCut,
): string | null {
  if (wanted === undefined) return 'the ledger has no confirmation of this generation by it';
  if (JSON.stringify(found) !== JSON.stringify(wanted)) return 'another cut than was examined';
  return coversCut(plainCut(found), plainCut(own)) ? null : 'below the cut of the generation';
}

function plainCut(cut: LedgerCut): Cut {
  return cut.map(([topic, partition, nextOffset]) => ({ topic, partition, nextOffset }));
}

/** The cuts of confirmations by the hour and the revision that they leave as it is. */
function confirmedCuts(
  bodies: ReadonlyMap<number, LedgerBody>,
): Map<string, { publication: number; cut: LedgerCut }[]> {
  const confirmed = new Map<string, { publication: number; cut: LedgerCut }[]>();
  for (const { kind, publication, hours } of bodies.values()) {
    if (kind !== 'confirm') continue;
    for (const { hour, revision, cut } of hours) {
      append(confirmed, revisionName(Date.parse(hour), revision), { publication, cut });
    }
  }
  return confirmed;
}

function revisionName(hourMs: number, revision: number): string {
  return `${String(hourMs)} ${String(revision)}`;
}

function examinedRows(
  client: pg.ClientBase,
  range: TimeRange | undefined,
): AsyncGenerator<ExaminedRow, void> {
  return rowsOf<ExaminedRow>(
    client,
    `select g.id as generation, g.hour,
            array(select p.revision from pointers p
                   where p.generation = g.id and p.hour = g.hour) as revisions,
            (select ${cutOf('c')} from generation_cuts c left join stream_progress s using (slot)
              where c.generation = g.id) as cut,
            (select coalesce(json_object_agg(x.publication, x.cut), '{}')
               from (select e.publication, ${cutOf('e')} as cut
                       from examined_cuts e left join stream_progress s using (slot)
                      where e.generation = g.id group by e.publication) x) as examined
       from generations g
      where g.hour >= $1::timestamptz and g.hour < $2::timestamptz order by g.hour, g.id`,
    rangeParameters(range),
  );
}

interface HoldRow {
  hour: Date;
  publication: string;
  released: string | null;
  reason: string;
}

/**
 * The holds of the range and the rollbacks in the ledger, both ways, and what ended each hold: the
 * first later entry that publishes, rolls back or releases its hour. The ledger does not say whether
 * a person asked, and need not: automatic entries are refused while an hour is held.
 */
export async function auditHolds(
  client: pg.ClientBase,
  { range }: Scope,
  { bodies, faults }: Ledger,
): Promise<Check> {
  const findings = new Findings();
  const { rollbacks, endings } = readHolds(bodies, range);
  const rows = rowsOf<HoldRow>(
    client,
    `select hour, publication, released, reason from hour_holds
      where hour >= $1::timestamptz and hour < $2::timestamptz order by hour, publication`,
    rangeParameters(range),
  );
  let holds = 0;
  for await (const row of rows) {
    holds++;
    const publication = exactNumber(row.publication);
    const name = holdName(row.hour.getTime(), publication);
    const rollback = rollbacks.get(name);
    rollbacks.delete(name);
    if (faults.has(publication)) continue;
    const later = endings.get(row.hour.getTime())?.find((number) => number > publication) ?? null;
    const problem = holdProblem(row, rollback?.reason, later, faults);
    if (problem === null) continue;
    const hour = formatTime(row.hour.getTime());
    findings.add(() => ({ hour, publication, problem, released: row.released }));
  }
  for (const { hour, publication } of rollbacks.values()) {
    findings.add(() => ({ hour, publication, problem: 'a rollback of the hour has no hold' }));
  }
  return findingsCheck('I8', 'holds', findings, { holds }, { holds: HOLDS });
}

const HOLDS =
  'every rollback holds its hours for its reason, and the next publication, rollback or release ' +
  'of the hour ends it';

/** `ended`: the entry that ended the hold, as far as entries can be read. */
function holdProblem(
  row: HoldRow,
  reason: string | undefined,
  ended: number | null,
  faults: ReadonlyMap<number, string>,
): string | null {
  if (reason === undefined) return 'no rollback of the hour made it';
  if (reason !== row.reason) return 'another reason than the rollback gave';
  const released = row.released === null ? null : exactNumber(row.released);
  if (released === ended) return null;
  if (released !== null && released < (ended ?? Infinity) && faults.has(released)) {
    return released > exactNumber(row.publication) ? null : 'it ended before it began';
  }
  return ended === null ? 'nothing has ended it yet' : `publication ${String(ended)} ended it`;
}

/** What the ledger says of holds: those that were made, and what may have ended them, by hour. */
function readHolds(
  bodies: ReadonlyMap<number, LedgerBody>,
  range: TimeRange | undefined,
): {
  rollbacks: Map<string, { hour: string; publication: number; reason: string }>;
  endings: Map<number, number[]>;
} {
  const rollbacks = new Map<string, { hour: string; publication: number; reason: string }>();
  const endings = new Map<number, number[]>();
  for (const { kind, publication, reason, hours } of bodies.values()) {
    if (kind === 'confirm') continue;
    for (const { hour } of hours) {
      const hourMs = Date.parse(hour);
      if (range !== undefined && (hourMs < range.fromMs || hourMs >= range.toMs)) continue;
      append(endings, hourMs, publication);
      if (kind !== 'rollback') continue;
      rollbacks.set(holdName(hourMs, publication), { hour, publication, reason });
    }
  }
  return { rollbacks, endings };
}

function holdName(hourMs: number, publication: number): string {
  return `${String(hourMs)} ${String(publication)}`;
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
