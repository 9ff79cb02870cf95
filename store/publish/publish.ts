import type pg from 'pg';
import type { Cut } from '../../core/cut.js';
import type { LedgerBody, LedgerHour } from '../../core/ledger.js';
import { checkRequest, decideHour } from '../../core/publication.js';
import type { FoundHour, PublishRequest, WantedHour } from '../../core/publication.js';
import { CUT_JSON } from '../generations/cut.js';
import { appendEntry, entryOf, lockHead } from './ledger.js';
import { inTransaction } from './transaction.js';

/** What a publication did. */
export interface Publication {
  /** `as_of` of every answer from now on. */
  readonly publication: number;
  readonly hours: readonly { readonly hourMs: number; readonly revision: number }[];
  /** True: the request had been carried out before; nothing was done now. */
  readonly existed: boolean;
}

/**
 * Changes what is served, for all hours of the request or for none: one transaction under the row
 * lock of the head, which is taken first. A revision is compared and set by its number, readers see
 * old or new, and a retry after a lost answer finds its own entry.
 *
 * `publish` and `rollback` append a revision to each hour; a rollback also holds automatic
 * publication off its hours. `confirm` records up to where the served generation still is the truth,
 * `release` ends a hold and leaves the rest as it is.
 * @throws TruecountError revision_conflict, hour_held, not_found, collected, invalid_argument
 */
export async function publish(client: pg.Client, request: PublishRequest): Promise<Publication> {
  const wanted = checkRequest(request);
  return inTransaction(client, async () => {
    const head = await lockHead(client);
    const before = await entryOf(client, request.request);
    if (before !== null) return { keep: false, value: asPublication(before, true) };
    const found = await findHours(client, wanted);
    const hours = wanted.map((hour, i) => decideHour(request, hour, found[i]!));
    const { kind, actor, reason } = request;
    const entry = { kind, request: request.request, actor, reason, hours };
    await appendEntry(client, head, entry);
    if (kind === 'confirm') await insertExamined(client, head.publication, wanted);
    else if (kind !== 'release') {
      await insertPointers(client, head.publication, wanted, hours);
    }
    await settleHolds(client, head.publication, request);
    return { keep: true, value: asPublication({ ...entry, ...head }, false) };
  });
}

interface Row {
  hour: Date;
  revision: number | null;
  served: string | null;
  held: boolean;
  has_served: boolean;
  generation_hour: Date | null;
  rule_set: string;
  inputs_hash: string;
  checksum: string;
  collected: boolean;
  cut: Cut;
  served_cut: Cut;
  reconciled_hour: Date | null;
  reconciled: string | null;
}

/** The hours under the lock. `for share` keeps a collection of the wanted generations waiting. */
async function findHours(
  client: pg.ClientBase,
  wanted: readonly WantedHour[],
): Promise<FoundHour[]> {
  const { rows } = await client.query<Row>(
    `select w.hour, p.revision, p.generation as served,
            exists (select from hour_holds x where x.hour = w.hour and x.released is null) as held,
            exists (select from pointers x
                     where x.hour = w.hour and x.generation = w.generation) as has_served,
            g.hour as generation_hour, g.rule_set, g.inputs_hash, g.checksum,
            g.collected_at is not null as collected,
            (select ${CUT_JSON} from generation_cuts c join stream_progress s using (slot)
              where c.generation = g.id) as cut,
            (select ${CUT_JSON} from generation_cuts c join stream_progress s using (slot)
              where c.generation = p.generation) as served_cut,
            r.hour as reconciled_hour, r.generation as reconciled
       from unnest($1::timestamptz[], $2::bigint[], $3::bigint[])
              with ordinality as w (hour, generation, reconciliation, i)
       left join reconciliations r on r.id = w.reconciliation
       left join lateral (
         select revision, generation from pointers where hour = w.hour
          order by revision desc limit 1
       ) p on true
       left join lateral (
         select * from generations where id = w.generation for share
       ) g on true
      order by w.i`,
    [
      wanted.map((w) => new Date(w.hourMs)),
      wanted.map((w) => w.generation),
      wanted.map((w) => w.reconciliation),
    ],
  );
  return rows.map((row) => ({
    hourMs: row.hour.getTime(),
    revision: row.revision ?? 0,
    served: row.served === null ? null : Number(row.served),
    servedCut: row.served_cut,
    held: row.held,
    hasServed: row.has_served,
    generation:
      row.generation_hour === null
        ? null
        : {
            hourMs: row.generation_hour.getTime(),
            ruleSet: row.rule_set,
            inputsHash: row.inputs_hash,
            checksum: row.checksum,
            cut: row.cut,
            collected: row.collected,
          },
    reconciliation:
      row.reconciled_hour === null
        ? null
        : { hourMs: row.reconciled_hour.getTime(), generation: Number(row.reconciled) },
  }));
}

async function insertPointers(
  client: pg.ClientBase,
  publication: number,
  wanted: readonly WantedHour[],
  hours: readonly LedgerHour[],
): Promise<void> {
  await client.query(
    `insert into pointers (hour, revision, generation, publication)
     select hour, revision, generation, $4
       from unnest($1::timestamptz[], $2::int[], $3::bigint[]) as t (hour, revision, generation)`,
    [
      wanted.map((w) => new Date(w.hourMs)),
      hours.map((h) => h.revision),
      wanted.map((w) => w.generation),
      publication,
    ],
  );
}

async function insertExamined(
  client: pg.ClientBase,
  publication: number,
  wanted: readonly WantedHour[],
): Promise<void> {
  const rows = wanted.flatMap(({ generation, examined = [] }) =>
    examined.map((entry) => ({ generation, ...entry })),
  );
  await client.query(
    `insert into examined_cuts (generation, publication, slot, next_offset)
     select t.generation, $5, s.slot, t.next_offset
       from unnest($1::bigint[], $2::text[], $3::int[], $4::bigint[])
              as t (generation, topic, partition, next_offset)
       join stream_progress s on s.topic = t.topic and s.partition = t.partition
      where t.next_offset > 0`,
    [
      rows.map((r) => r.generation),
      rows.map((r) => r.topic),
      rows.map((r) => r.partition),
      rows.map((r) => r.nextOffset),
      publication,
    ],
  );
}

/** A person's publication ends the holds of its hours; a rollback then makes new ones. */
async function settleHolds(
  client: pg.ClientBase,
  publication: number,
  { kind, automatic, hours, reason }: PublishRequest,
): Promise<void> {
  if (automatic || kind === 'confirm') return;
  const list = hours.map(({ hourMs }) => new Date(hourMs));
  await client.query(
    'update hour_holds set released = $2 where hour = any ($1) and released is null',
    [list, publication],
  );
  if (kind !== 'rollback') return;
  await client.query(
    'insert into hour_holds (hour, publication, reason) select h, $2, $3 from unnest($1::timestamptz[]) h',
    [list, publication, reason],
  );
}

function asPublication(
  { publication, hours }: Pick<LedgerBody, 'publication' | 'hours'>,
  existed: boolean,
): Publication {
  return {
    publication,
    hours: hours.map(({ hour, revision }) => ({ hourMs: Date.parse(hour), revision })),
    existed,
  };
}
