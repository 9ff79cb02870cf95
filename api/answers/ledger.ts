import Type, { type Static } from 'typebox';
import { LEDGER_KINDS } from '../../core/ledger.js';
import { formatTime } from '../../core/range.js';
import type { Reader } from '../../store/read/connection.js';
import { readLedger } from '../../store/read/ledger.js';
import { PublicationSchema, TimeSchema } from '../schemas.js';

/** Entries in one answer at most, and by default. An entry has up to 1,000 hours. */
export const LEDGER_MAX = 1_000;
export const LEDGER_DEFAULT = 100;

/** The question as it is asked. Its numbers are in bounds. */
export interface LedgerAsked {
  readonly after?: number | undefined;
  readonly limit?: number | undefined;
}

export const LedgerDocument = Type.Object(
  {
    as_of: PublicationSchema,
    entries: Type.Array(
      Type.Object({
        publication: Type.Integer({ minimum: 1 }),
        kind: Type.Enum([...LEDGER_KINDS]),
        request: Type.String({ description: 'names the request that made it' }),
        at: TimeSchema,
        body: Type.String({
          description: 'canonical JSON (RFC 8785) of all that was decided: what the hash is over',
        }),
        prev_hash: Type.String({ description: 'hash of the entry before' }),
        hash: Type.String({ description: 'SHA-256 of prev_hash, a line feed and body' }),
      }),
      { description: 'ascending, without a gap' },
    ),
    next: Type.Object(
      { after: Type.Integer({ minimum: 0 }) },
      { description: 'the next question; the last page is the one that reaches as_of' },
    ),
  },
  { description: 'entries of the ledger' },
);

/**
 * Answers what was published, rolled back, confirmed and released after a publication.
 * @throws TruecountError `not_found` and those of a read
 */
export async function answerLedger(
  reader: Reader,
  { after = 0, limit = LEDGER_DEFAULT }: LedgerAsked,
): Promise<Static<typeof LedgerDocument>> {
  const { asOf, entries } = await readLedger(reader, after, limit);
  return {
    as_of: asOf,
    entries: entries.map(({ publication, kind, request, atMs, body, prevHash, hash }) => ({
      publication,
      kind,
      request,
      at: formatTime(atMs),
      body,
      prev_hash: prevHash,
      hash,
    })),
    next: { after: entries.at(-1)?.publication ?? after },
  };
}
