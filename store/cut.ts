import type pg from 'pg';

export interface CutPosition {
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: number;
}

export interface CutResult {
  readonly hourMs: number;
  /** False if the hour had been cut before: its cut is returned unchanged. */
  readonly cutNow: boolean;
  /** Per partition the next offset that is no longer counted; an absent partition is 0. */
  readonly cut: readonly CutPosition[];
  /** Clicks of the hour recorded at or above the cut so far. */
  readonly late: number;
}

/**
 * Cuts one hour: from the commit on, no flush counts into it, and every click of it is live below
 * the cut or late at or above it. An hour without a row is created, and pins what is in force for it. Cutting again
 * returns the first cut.
 *
 * The exclusive lock waits for the flushes that count into the hour, and they for it. The positions
 * are read in a statement after the lock was got: under READ COMMITTED it sees all of them.
 * Errors: SQLSTATE 55P03 when a flush holds the lock longer than the session's lock timeout.
 */
export async function cutHour(client: pg.Client, hourMs: number): Promise<CutResult> {
  const hour = new Date(hourMs);
  await client.query('begin isolation level read committed');
  try {
    await client.query('select pg_advisory_xact_lock(hour_lock_class(), hour_lock_key($1))', [
      hour,
    ]);
    await client.query(
      `insert into hours (hour, rule_set) values ($1, rule_set_for($1))
       on conflict (hour) do nothing`,
      [hour],
    );
    const { rowCount } = await client.query(
      `update hours set state = 'cut', cut_at = clock_timestamp()
        where hour = $1 and state = 'open'`,
      [hour],
    );
    if (rowCount === 1) {
      await client.query(
        `insert into hour_cuts (hour, slot, next_offset)
         select $1, slot, next_offset from stream_progress where next_offset > 0`,
        [hour],
      );
    }
    const result = await readCut(client, hourMs, rowCount === 1);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

async function readCut(client: pg.Client, hourMs: number, cutNow: boolean): Promise<CutResult> {
  const hour = new Date(hourMs);
  const positions = await client.query<{ topic: string; partition: number; next_offset: string }>(
    `select p.topic, p.partition, c.next_offset
       from hour_cuts c join stream_progress p using (slot)
      where c.hour = $1 order by p.topic, p.partition`,
    [hour],
  );
  const late = await client.query<{ n: string }>(
    'select count(*) as n from late_clicks where hour = $1',
    [hour],
  );
  return {
    hourMs,
    cutNow,
    cut: positions.rows.map((row) => ({
      topic: row.topic,
      partition: row.partition,
      nextOffset: Number(row.next_offset),
    })),
    late: Number(late.rows[0]!.n),
  };
}
