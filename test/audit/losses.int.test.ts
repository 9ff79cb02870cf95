import { describe, expect, it } from 'vitest';
import { audit } from '../../audit/audit.js';
import type { Check } from '../../audit/report.js';
import { auditedWorld } from './audited-world.js';

const world = auditedWorld();

async function check(name: string): Promise<Check> {
  const options = { readLog: null, lake: null, allGenerations: true };
  const report = await audit({ pool: world.database.pool, ...options });
  return report.checks.find((one) => `${one.invariant} ${one.name}` === name)!;
}

describe('offsets that were never read', () => {
  const LIVE = 'I6 live_against_generation';
  const ALTERED = `update live_cells set counts[11] = 2
                    where ad_id = 'c' and hour = '2026-11-21T10:00Z'`;
  /** The cut of ten is at 5 in slot 1, at 1 in slot 2, and at 0 in slot 3. */
  const lost = (table: string, slot: number, from: number, notedAt = '2026-11-21T12:00Z') =>
    `insert into ${table} values (${String(slot)}, ${String(from)}, ${String(from + 1)}, 'gap',
                                  '${notedAt}')`;
  const CAUSE = (hour: number): string =>
    `insert into hour_causes values ('2026-11-21T${String(hour)}:00Z', 1, 'rebuild_loss', '')`;

  it.each([
    ['at the cut of the hour', lost('loss_intervals', 1, 5)],
    ['at the cut of the hour, in the archive', lost('archive_losses', 1, 5)],
    ['in a partition of which nothing is below the cut', lost('loss_intervals', 3, 0)],
    ['long before the hour', lost('loss_intervals', 1, 3, '2026-11-21T09:49:59Z')],
    ['of another hour, as its cause', CAUSE(11)],
  ])('hide no altered live cell of an hour that they do not concern: %s', async (_what, sql) => {
    await world.database.pool.query(sql);
    expect(await check(LIVE)).toMatchObject({
      status: 'ok',
      checked: { 'rows (filter, ad) of hours': 8, 'hours left out': 0 },
    });
    await world.database.pool.query(ALTERED);
    expect((await check(LIVE)).status).toBe('broken');
  });

  it.each([
    ['below its cut', lost('loss_intervals', 1, 4)],
    ['below its cut, in the archive', lost('archive_losses', 2, 0)],
    ['when clicks of it may have been appended', lost('archive_losses', 1, 4, '2026-11-21T09:50Z')],
    ['which gave it a cause', CAUSE(10)],
  ])('leave out the hour that they concern, and the check says so: %s', async (_what, sql) => {
    await world.database.pool.query(sql);
    await world.database.pool.query(ALTERED);
    const found = await check(LIVE);
    expect(found).toMatchObject({ status: 'unchecked', checked: { 'hours left out': 1 } });
    expect(found.detail).toContain('hours left out: 1, which have a cause or a loss');
  });

  const FLOW = 'I3 archive_flow';
  /** Clicks of ten in slot 1 that only one of them knows. */
  const more = (table: 'minute_flow' | 'archive_flow', n: number): string => {
    const column = table === 'minute_flow' ? 'counted' : 'received';
    return `update ${table} set ${column}[31] = ${column}[31] + ${String(n)}
             where slot = 1 and hour = '2026-11-21T10:00Z'`;
  };

  it.each([
    ['minute_flow', 'archive_losses'],
    ['archive_flow', 'loss_intervals'],
  ] as const)('may be what only %s has, but not more', async (table, losses) => {
    await world.database.pool.query(lost(losses, 1, 3));
    await world.database.pool.query(more(table, 1));
    const found = await check(FLOW);
    expect(found).toMatchObject({
      status: 'ok',
      checked: { 'hours of partitions': 4, 'hours of partitions with a loss': 2 },
    });
    expect(found.detail).toContain('hours of partitions with a loss: 2');
    await world.database.pool.query(more(table, 1));
    expect((await check(FLOW)).status).toBe('broken');
  });

  it.each([
    ['of another partition', lost('loss_intervals', 2, 0)],
    ['of the archive', lost('archive_losses', 1, 3)],
    ['long before the hour', lost('loss_intervals', 1, 3, '2026-11-21T09:49:59Z')],
    [
      'that neither of them read',
      `${lost('loss_intervals', 1, 3)}; ${lost('archive_losses', 1, 3)}`,
    ],
  ])('excuse no click that only the archive knows, if they are %s', async (_what, sql) => {
    await world.database.pool.query(sql);
    expect((await check(FLOW)).status).toBe('ok');
    await world.database.pool.query(more('archive_flow', 1));
    expect((await check(FLOW)).status).toBe('broken');
  });
});
