import type pg from 'pg';
import { TruecountError } from '../../core/errors.js';
import { formatTime } from '../../core/range.js';
import { ledgerCut, type LedgerHour } from '../../core/ledger.js';
import { checkEntryWords } from '../../core/ledger-words.js';
import type { Cut } from '../../core/cut.js';
import { appendEntry, entryOf, lockHead } from './ledger.js';
import { inTransaction } from './transaction.js';

export interface ReleaseRequest {
  readonly request: string;
  readonly hours: readonly number[];
  readonly actor: string;
  readonly reason: string;
}

/**
 * Ends the holds of hours, so that automatic publication may go on; what is served stays. Returns
 * the publication number of the entry.
 * @throws TruecountError `not_found` where none of the hours is held, `invalid_argument` for words that
 * the ledger does not take
 */
export async function releaseHours(client: pg.Client, request: ReleaseRequest): Promise<number> {
  checkEntryWords(request);
  return inTransaction(client, async () => {
    const head = await lockHead(client);
    const before = await entryOf(client, request.request);
    if (before !== null) return { keep: false, value: before.publication };
    const held = await heldHours(client, request.hours);
    if (held.length === 0) {
      throw new TruecountError('not_found', 'none of these hours is held', {
        hint: '`truecount hours` shows which are',
      });
    }
    await appendEntry(client, head, {
      kind: 'release',
      request: request.request,
      actor: request.actor,
      reason: request.reason,
      hours: held,
    });
    await client.query(
      `update hour_holds set released = $2
        where hour = any ($1::timestamptz[]) and released is null`,
      [held.map(({ hour }) => hour), head.publication],
    );
    return { keep: true, value: head.publication };
  });
}

async function heldHours(client: pg.ClientBase, hours: readonly number[]): Promise<LedgerHour[]> {
  const { rows } = await client.query<{
    hour: Date;
    revision: number;
    rule_set: string;
    inputs_hash: string;
    checksum: string;
    cut: Cut;
  }>(
    `select p.hour, p.revision, g.rule_set, g.inputs_hash, g.checksum,
            (select coalesce(json_agg(json_build_object('topic', s.topic, 'partition', s.partition,
                      'nextOffset', c.next_offset) order by s.topic, s.partition), '[]')
               from generation_cuts c join stream_progress s using (slot)
              where c.generation = g.id) as cut
       from (select distinct on (hour) * from pointers
              where hour = any ($1::timestamptz[]) order by hour, revision desc) p
       join generations g on g.id = p.generation
      where exists (select from hour_holds x where x.hour = p.hour and x.released is null)
      order by p.hour`,
    [hours.map((ms) => new Date(ms))],
  );
  return rows.map((row) => ({
    hour: formatTime(row.hour.getTime()),
    revision: row.revision,
    rule_set: row.rule_set,
    inputs: row.inputs_hash,
    checksum: row.checksum,
    cut: ledgerCut(row.cut),
    reconciliation: null,
  }));
}
