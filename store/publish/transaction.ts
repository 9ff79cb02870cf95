import type pg from 'pg';

/**
 * Runs `work` in one READ COMMITTED transaction: committed if it says `keep`, else rolled back. The
 * order of statements carries meaning here, so the level is stated.
 */
export async function inTransaction<T>(
  client: pg.ClientBase,
  work: () => Promise<{ readonly keep: boolean; readonly value: T }>,
): Promise<T> {
  await client.query('begin isolation level read committed');
  try {
    const { keep, value } = await work();
    await client.query(keep ? 'commit' : 'rollback');
    return value;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}
