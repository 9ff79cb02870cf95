import type pg from 'pg';

/** A comparison that let a generation through, but wants somebody to look. */
export interface Alert {
  readonly reconciliation: number;
  readonly hourMs: number;
  readonly drift: number;
  readonly cellsDiffer: number;
  readonly reason: string;
}

/** Those of the reconciliations that decided `publish_alert`, what moved most first. */
export async function alertsAmong(
  client: pg.ClientBase | pg.Pool,
  reconciliations: readonly number[],
): Promise<Alert[]> {
  const { rows } = await client.query<{
    id: string;
    hour: Date;
    drift: number;
    cells_differ: string;
    reason: string;
  }>(
    `select id, hour, drift, cells_differ, reason from reconciliations
      where id = any ($1::bigint[]) and decision = 'publish_alert'
      order by drift desc, id`,
    [reconciliations],
  );
  return rows.map(({ id, hour, drift, cells_differ, reason }) => ({
    ...{ reconciliation: Number(id), hourMs: hour.getTime() },
    ...{ drift, cellsDiffer: Number(cells_differ), reason },
  }));
}
