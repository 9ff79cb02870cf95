import type pg from 'pg';
import { inTransaction } from '../publish/transaction.js';

export interface RetentionPolicy {
  /** Generations of an hour that are always kept, newest first. */
  readonly keepGenerations: number;
  /** And all that are younger than this, or were readable within it. */
  readonly keepMs: number;
}

export interface CollectOptions extends RetentionPolicy {
  /** Generations that one call gives up at most; default 100. */
  readonly generationsMax?: number;
  /** Rows that one transaction deletes at most; default 10,000. */
  readonly batchRows?: number;
  /** Stops between two transactions. */
  readonly signal?: AbortSignal;
}

export interface Collected {
  /** Numbers of the generations given up now. */
  readonly generations: readonly number[];
  readonly rowsRemoved: number;
}

const GENERATIONS_MAX = 100;
const BATCH_ROWS = 10_000;

/**
 * Takes the cells of generations away that nobody can need any more. What a generation is stays for
 * ever: its row, cut, files and flow, since pointers and the ledger refer to it, and since the same
 * inputs give the same cells again (a load of them puts the cells back under the same number).
 *
 * A generation keeps its cells while one of these holds:
 * 1. it serves its hour now;
 * 2. it is among the newest `keepGenerations` of its hour;
 * 3. its cells came in within the last `keepMs`;
 * 4. it served within the last `keepMs`: a reader may ask for any publication of that time (`as_of`),
 *    and any of them can be given a name that people keep;
 * 5. it was reconciled within the last `keepMs`: somebody may be about to publish it.
 *
 * So every publication not older than `keepMs` can be read whole. A reader of an older one finds
 * either all cells of an hour or a generation that is marked `collected_at`, never a part: the mark is
 * committed before the first cell goes, and readers look at it in the statement that reads the cells
 * (or keep their snapshot, in which both are as before).
 *
 * Against publishers, reconciliations and loads: they lock the row of a generation before they rely
 * on its cells. The mark is set under the row's exclusive lock, and the rules are looked at again in a
 * statement that began after the lock was got, so a pointer that was committed meanwhile is seen.
 * Rows locked by others are left for the next time. Cells go in small transactions, each of which
 * holds the row's lock and sees that the mark still stands: a load may have put them back. A call
 * that is killed anywhere is continued by the next.
 */
export async function collectGenerations(
  client: pg.Client,
  options: CollectOptions,
): Promise<Collected> {
  const { generationsMax = GENERATIONS_MAX, batchRows = BATCH_ROWS, signal } = options;
  const generations = await markCollectable(client, options, generationsMax);
  let rowsRemoved = 0;
  for (const generation of await markedWithCells(client)) {
    for (;;) {
      signal?.throwIfAborted();
      const removed = await removeCells(client, generation, batchRows);
      rowsRemoved += removed;
      if (removed < batchRows) break;
    }
  }
  return { generations, rowsRemoved };
}

// The rules above, for a generation `g`, against those that may have their cells taken away.
const NEEDED = `
  exists (
    select from pointers p
      left join pointers after on after.hour = p.hour and after.revision = p.revision + 1
      left join ledger l on l.publication = after.publication
     where p.generation = g.id
       and (after.revision is null or l.at > now() - $2 * interval '1 millisecond'))
  or (select count(*) from generations n where n.hour = g.hour and n.id > g.id) < $1
  or g.loaded_at > now() - $2 * interval '1 millisecond'
  or exists (
    select from reconciliations r
     where r.hour = g.hour and (r.generation = g.id or r.base = g.id)
       and r.made_at > now() - $2 * interval '1 millisecond')`;

async function markCollectable(
  client: pg.Client,
  { keepGenerations, keepMs }: RetentionPolicy,
  generationsMax: number,
): Promise<number[]> {
  return inTransaction(client, async () => {
    const locked = await client.query<{ id: string }>(
      `select g.id from generations g where g.collected_at is null and not (${NEEDED})
        order by g.id limit $3 for update skip locked`,
      [keepGenerations, keepMs, generationsMax],
    );
    const marked = await client.query<{ id: string }>(
      `update generations g set collected_at = clock_timestamp()
        where g.id = any ($3::bigint[]) and g.collected_at is null and not (${NEEDED})
        returning g.id`,
      [keepGenerations, keepMs, locked.rows.map((row) => row.id)],
    );
    const ids = marked.rows.map((row) => Number(row.id)).sort((a, b) => a - b);
    return { keep: true, value: ids };
  });
}

/** Those marked now, and what a call that was killed has left. */
async function markedWithCells(client: pg.ClientBase): Promise<number[]> {
  const { rows } = await client.query<{ id: string }>(
    `select g.id from generations g
      where g.collected_at is not null
        and exists (select from generation_cells c where c.generation = g.id)
      order by g.id`,
  );
  return rows.map((row) => Number(row.id));
}

async function removeCells(
  client: pg.Client,
  generation: number,
  batchRows: number,
): Promise<number> {
  return inTransaction(client, async () => {
    const { rowCount: marked } = await client.query(
      'select from generations where id = $1 and collected_at is not null for update',
      [generation],
    );
    if (marked === 0) return { keep: false, value: 0 };
    const { rowCount } = await client.query(
      `delete from generation_cells where ctid = any (array(
         select ctid from generation_cells where generation = $1 limit $2))`,
      [generation, batchRows],
    );
    return { keep: true, value: rowCount ?? 0 };
  });
}
