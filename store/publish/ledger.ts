import type pg from 'pg';
import { ledgerHash, ledgerText } from '../../core/ledger.js';
import type { LedgerBody } from '../../core/ledger.js';
import { checkEntryWords } from '../../core/ledger-words.js';
import { formatTime } from '../../core/range.js';

/** The head under its row lock: the lock orders everything that is seen, until the commit. */
export interface LockedHead {
  /** The number that this transaction gives. */
  readonly publication: number;
  readonly prevHash: string;
  /** RFC 3339, Postgres' clock. */
  readonly at: string;
}

/** Takes the head: waits for every publication before. First statement of its transaction. */
export async function lockHead(client: pg.ClientBase): Promise<LockedHead> {
  const { rows } = await client.query<{ publication: string; hash: string; at: Date }>(
    `update ledger_head set publication = publication + 1
     returning publication, hash, clock_timestamp() as at`,
  );
  const { publication, hash, at } = rows[0]!;
  return { publication: Number(publication), prevHash: hash, at: formatTime(at.getTime()) };
}

/** The entry that a request made before, if it did: the answer to asking again. */
export async function entryOf(client: pg.ClientBase, request: string): Promise<LedgerBody | null> {
  const { rows } = await client.query<{ body: string }>(
    'select body from ledger where request = $1',
    [request],
  );
  return rows[0] === undefined ? null : (JSON.parse(rows[0].body) as LedgerBody);
}

/**
 * Appends the entry and makes its hash the head's.
 * @throws TruecountError `invalid_argument` for words that could not be read again
 */
export async function appendEntry(
  client: pg.ClientBase,
  head: LockedHead,
  entry: Omit<LedgerBody, 'publication' | 'at'>,
): Promise<void> {
  checkEntryWords(entry);
  const body = ledgerText({ ...entry, publication: head.publication, at: head.at });
  const hash = ledgerHash(head.prevHash, body);
  await client.query(
    `with entry as (
       insert into ledger (publication, kind, request, body, prev_hash, hash, at)
       values ($1, $2, $3, $4, $5, $6, $7)
     )
     update ledger_head set hash = $6`,
    [head.publication, entry.kind, entry.request, body, head.prevHash, hash, head.at],
  );
}
