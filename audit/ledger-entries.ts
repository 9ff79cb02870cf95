import type pg from 'pg';
import type { LedgerBody, LedgerEntry } from '../core/ledger.js';
import { rowsOf } from './cursor.js';
import { exactNumber } from './sql-check.js';

/** The whole ledger, about 400 bytes for each hour of each entry. */
export interface Ledger {
  readonly entries: readonly LedgerEntry[];
  /** What the entries say, by publication, ascending. */
  readonly bodies: ReadonlyMap<number, LedgerBody>;
  /** What is wrong with the entries that have no place in `bodies`, by publication. */
  readonly faults: ReadonlyMap<number, string>;
}

interface Row {
  publication: string;
  kind: string;
  request: string;
  body: string;
  prev_hash: string;
  hash: string;
}

/** Reads all entries; one that cannot be understood is a fault and no error. */
export async function readLedger(client: pg.ClientBase): Promise<Ledger> {
  const entries: LedgerEntry[] = [];
  const bodies = new Map<number, LedgerBody>();
  const faults = new Map<number, string>();
  const rows = rowsOf<Row>(
    client,
    'select publication, kind, request, body, prev_hash, hash from ledger order by publication',
    [],
  );
  for await (const row of rows) {
    const publication = exactNumber(row.publication);
    entries.push({ publication, body: row.body, prevHash: row.prev_hash, hash: row.hash });
    const body = parsed(row.body);
    if (body === null) faults.set(publication, 'its body cannot be read');
    else if (
      body.publication !== publication ||
      body.kind !== row.kind ||
      body.request !== row.request
    ) {
      faults.set(publication, 'its body tells of another entry than its row');
    } else bodies.set(publication, body);
  }
  return { entries, bodies, faults };
}

function parsed(text: string): LedgerBody | null {
  try {
    const body = JSON.parse(text) as LedgerBody;
    return Array.isArray(body.hours) ? body : null;
  } catch {
    return null;
  }
}
