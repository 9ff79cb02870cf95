import type { LedgerEntry, LedgerKind } from '../../core/ledger.js';
import { checkAsOf } from './as-of.js';
import { readRows, type Reader } from './connection.js';
import { exactNumber } from './values.js';

export interface LedgerRecord extends LedgerEntry {
  readonly kind: LedgerKind;
  /** Names the request that made it. */
  readonly request: string;
  readonly atMs: number;
}

export interface LedgerAnswer {
  /** The newest publication. */
  readonly asOf: number;
  /** Ascending, without a gap. */
  readonly entries: readonly LedgerRecord[];
}

const SQL = `
  select head.publication as newest, l.*
    from ledger_head head
    left join lateral (
      select * from ledger where publication > $1 order by publication limit $2
    ) l on true
   order by l.publication`;

interface Row {
  newest: string;
  publication: string | null;
  kind: LedgerKind;
  request: string;
  body: string;
  prev_hash: string;
  hash: string;
  at: Date;
}

/**
 * The entries of the ledger after a publication, `limit` at most.
 * @throws TruecountError `not_found` for a publication above the newest; what `readRows` throws
 */
export async function readLedger(
  reader: Reader,
  after: number,
  limit: number,
): Promise<LedgerAnswer> {
  const rows = await readRows<Row>(reader, 'ledger', SQL, [after, limit]);
  const asOf = exactNumber(rows[0]?.newest ?? 0);
  checkAsOf(after, asOf);
  return {
    asOf,
    entries: rows.flatMap(({ publication, kind, request, body, prev_hash, hash, at }) =>
      publication === null
        ? []
        : [
            {
              publication: exactNumber(publication),
              kind,
              request,
              body,
              prevHash: prev_hash,
              hash,
              atMs: at.getTime(),
            },
          ],
    ),
  };
}
