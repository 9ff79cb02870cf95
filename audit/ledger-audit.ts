import type pg from 'pg';
import { chainFault } from '../core/ledger.js';
import type { LedgerBody, LedgerHour } from '../core/ledger.js';
import { formatTime } from '../core/range.js';
import { rowsOf } from './cursor.js';
import { readLedger } from './ledger-entries.js';
import { auditExamined, auditHolds } from './ledger-rows.js';
import { Findings, findingsCheck, type Check } from './report.js';
import { auditRuleVersions } from './rule-versions.js';
import { exactNumber, type Scope } from './sql-check.js';

interface PointerRow {
  hour: Date;
  revision: number;
  publication: string;
  rule_set: string;
  inputs_hash: string;
  checksum: string;
  /** `[topic, partition, next offset]`, in the ledger's order. */
  cut: LedgerHour['cut'];
}

/**
 * The chain of the ledger, and that it tells the same as the pointers, the examined cuts, the holds
 * and the rule versions. Chain, pointers and versions are not limited by the range: an entry vouches
 * for all before it. Holds the ledger in memory.
 */
export async function auditLedger(client: pg.ClientBase, scope: Scope): Promise<Check[]> {
  const ledger = await readLedger(client);
  const { entries, bodies, faults } = ledger;
  const chain = new Findings();
  const fault = chainFault(entries);
  if (fault !== null) chain.add(() => ({ problem: fault }));
  for (const [publication, problem] of faults) chain.add(() => ({ publication, problem }));
  const entered = new Findings();
  const pointers = await comparePointers(client, bodies, faults, entered);
  return [
    findingsCheck(
      'I11',
      'ledger_chain',
      chain,
      { 'ledger entries': entries.length },
      {
        holds: 'every entry of the ledger gives its hash and follows the one before',
      },
    ),
    findingsCheck(
      'I8',
      'pointer_entries',
      entered,
      { pointers },
      {
        holds: 'every pointer has the ledger entry that names its inputs, checksum and cut',
      },
    ),
    await auditExamined(client, scope, ledger),
    await auditHolds(client, scope, ledger),
    await auditRuleVersions(client, ledger),
  ];
}

/** Both ways: a pointer without its entry, and an entry whose hour has no such pointer. */
async function comparePointers(
  client: pg.ClientBase,
  bodies: ReadonlyMap<number, LedgerBody>,
  unreadable: ReadonlyMap<number, string>,
  findings: Findings,
): Promise<number> {
  const open = namedPointers(bodies);
  const served = new Map<string, PointerRow>();
  let n = 0;
  for await (const row of pointerRows(client)) {
    n++;
    const publication = exactNumber(row.publication);
    const name = pointerName(row.hour.getTime(), row.revision);
    served.set(name, row);
    const entry = open.get(name);
    open.delete(name);
    if (unreadable.has(publication)) continue;
    const problem =
      entry?.publication === publication ? differs(row, entry.hour) : 'no entry names it';
    if (problem !== null) findings.add(() => ({ pointer: name, publication, problem }));
  }
  for (const [name, { publication }] of open) {
    findings.add(() => ({ pointer: name, publication, problem: 'an entry names it: it is gone' }));
  }
  compareOthers(bodies, served, findings);
  return n;
}

/** Confirmations and releases leave pointers as they are, and name the ones that serve. */
function compareOthers(
  bodies: ReadonlyMap<number, LedgerBody>,
  served: ReadonlyMap<string, PointerRow>,
  findings: Findings,
): void {
  for (const { kind, publication, hours } of bodies.values()) {
    if (kind === 'publish' || kind === 'rollback') continue;
    for (const hour of hours) {
      const name = pointerName(Date.parse(hour.hour), hour.revision);
      const row = served.get(name);
      const same =
        row?.inputs_hash === hour.inputs &&
        row.checksum === hour.checksum &&
        exactNumber(row.publication) < publication;
      if (same) continue;
      findings.add(() => ({
        pointer: name,
        publication,
        problem: `what it ${kind}s was not served`,
      }));
    }
  }
}

interface Named {
  readonly publication: number;
  readonly hour: LedgerHour;
}

function namedPointers(bodies: ReadonlyMap<number, LedgerBody>): Map<string, Named> {
  const named = new Map<string, Named>();
  for (const { publication, kind, hours } of bodies.values()) {
    if (kind !== 'publish' && kind !== 'rollback') continue;
    for (const hour of hours) {
      named.set(pointerName(Date.parse(hour.hour), hour.revision), { publication, hour });
    }
  }
  return named;
}

function pointerName(hourMs: number, revision: number): string {
  return `${formatTime(hourMs)} revision ${String(revision)}`;
}

function pointerRows(client: pg.ClientBase): AsyncGenerator<PointerRow, void> {
  return rowsOf<PointerRow>(
    client,
    `select p.hour, p.revision, p.publication, g.rule_set, g.inputs_hash, g.checksum,
            (select coalesce(json_agg(json_build_array(s.topic, s.partition, c.next_offset)
                                      order by s.topic, s.partition), '[]')
               from generation_cuts c join stream_progress s using (slot)
              where c.generation = g.id) as cut
       from pointers p join generations g on g.id = p.generation order by p.hour, p.revision`,
    [],
  );
}

function differs(row: PointerRow, hour: LedgerHour): string | null {
  if (row.inputs_hash !== hour.inputs)
    return 'its generation has other inputs than the entry names';
  if (row.checksum !== hour.checksum)
    return 'its generation has another checksum than the entry names';
  if (row.rule_set !== hour.rule_set)
    return 'its generation has another rule set than the entry names';
  if (JSON.stringify(row.cut) !== JSON.stringify(hour.cut)) {
    return 'its generation has another cut than the entry names';
  }
  return null;
}
