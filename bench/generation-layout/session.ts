import type pg from 'pg';
import type { OwnPostgres } from '../live-layout/postgres.js';

/** A connection that plans as a service's does, on one core. */
export async function session(postgres: OwnPostgres): Promise<{ client: pg.Client; pid: number }> {
  const client = await postgres.connect();
  await client.query(
    'set plan_cache_mode = auto; set max_parallel_workers_per_gather = 0; set jit = off',
  );
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return { client, pid: rows[0]!.pid };
}
