import type pg from 'pg';

/** How a settlement ended for the hours that it had in work. */
export interface SettledHours {
  readonly failed: readonly { readonly hourMs: number; readonly error: string }[];
  /** Those that came through: published, confirmed, or held for a person. */
  readonly done: readonly number[];
  /** When it ended, epoch ms. Who writes again gives the same, and nothing is counted twice. */
  readonly atMs: number;
  readonly workflowId: string;
  readonly runId: string;
}

// Both parts see the rows as they were before: no hour is in both.
const SQL = `
  with over as (
    delete from hour_failures f
     where f.failed_at < $1 and (f.hour = any ($2::timestamptz[]) or nothing_to_settle(f.hour))
  )
  insert into hour_failures as f (hour, since, failed_at, times, error, workflow_id, run_id)
  select w.hour, $1, $1, 1, w.error, $5, $6
    from unnest($3::timestamptz[], $4::text[]) as w (hour, error)
   where not nothing_to_settle(w.hour)
   order by w.hour
      on conflict (hour) do update
     set failed_at = excluded.failed_at, times = f.times + 1, error = excluded.error,
         workflow_id = excluded.workflow_id, run_id = excluded.run_id
   where f.failed_at < excluded.failed_at`;

/**
 * Writes which hours failed in a settlement, and takes away the failures of those that came through,
 * or that somebody else settled meanwhile. One statement; run again, also after later settlements, it
 * changes nothing.
 */
export async function recordFailures(
  client: pg.ClientBase | pg.Pool,
  { failed, done, atMs, workflowId, runId }: SettledHours,
): Promise<void> {
  await client.query(SQL, [
    new Date(atMs),
    done.map((ms) => new Date(ms)),
    failed.map(({ hourMs }) => new Date(hourMs)),
    failed.map(({ error }) => error),
    workflowId,
    runId,
  ]);
}
