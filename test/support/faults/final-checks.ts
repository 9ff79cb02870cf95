import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import type pg from 'pg';
import { expect } from 'vitest';
import { audit } from '../../../audit/audit.js';
import { formatTime } from '../../../core/range.js';
import type { TimeRange } from '../../../core/range.js';
import { HOUR_MS } from '../../../core/time.js';
import { openLake } from '../../../lake/open.js';
import type { ReplayRangeResult } from '../../../workflows/contract.js';
import { SETTLE_START } from '../../../workflows/start-options.js';
import { orphansOf } from '../archive.js';
import { until } from '../until.js';
import type { FinalWorld, Replay } from './final-world.js';

/** The checksums of the generations that serve the hours of a range. */
export async function servedChecksums(pool: pg.Pool, range: TimeRange): Promise<string[]> {
  const { rows } = await pool.query<{ checksum: string }>(
    `select g.checksum from (select distinct on (hour) * from pointers
                              where hour >= $1 and hour < $2 order by hour, revision desc) p
       join generations g on g.id = p.generation order by p.hour`,
    [new Date(range.fromMs), new Date(range.toMs)],
  );
  return rows.map(({ checksum }) => checksum);
}

/** The entries of the ledger that a run made. */
export async function entriesOf(pool: pg.Pool, { request }: Replay): Promise<number[]> {
  const { rows } = await pool.query<{ publication: string }>(
    'select publication from ledger where starts_with(request, $1) order by publication',
    [request.slice(0, request.lastIndexOf(' ') + 1)],
  );
  return rows.map(({ publication }) => Number(publication));
}

/** Published once, all hours at once, with the cells of a run that nothing disturbed (I5, I9). */
export async function expectFinished(
  pool: pg.Pool,
  replay: Replay,
  result: ReplayRangeResult,
  checksum: string | undefined,
): Promise<void> {
  const { range, revision, handle } = replay;
  const hours = (range.toMs - range.fromMs) / HOUR_MS;
  const name = handle.workflowId;
  expect(result, name).toMatchObject({ hours, published: hours, confirmed: 0, held: 0 });
  expect(await entriesOf(pool, replay), `entries of ${name}`).toEqual([result.publication]);
  const { rows } = await pool.query(
    `select max(revision) as revision, count(*)::int as n from pointers
      where hour >= $1 and hour < $2 group by hour`,
    [new Date(range.fromMs), new Date(range.toMs)],
  );
  const one = { revision, n: revision };
  expect(rows, `revisions of ${name}`).toEqual(Array.from({ length: hours }, () => one));
  expect(await servedChecksums(pool, range), `checksums of ${name}`).toEqual(
    Array.from({ length: hours }, () => checksum),
  );
}

/** How many attempts the last activity of a type took, as the history of a closed run tells. */
export async function attemptsOf(handle: WorkflowHandle, type: string): Promise<number> {
  const { events } = await handle.fetchHistory();
  const scheduled = new Set(
    events
      ?.filter((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === type)
      .map(({ eventId }) => String(eventId)),
  );
  const attempts = (events ?? []).flatMap(({ activityTaskStartedEventAttributes: started }) =>
    scheduled.has(String(started?.scheduledEventId)) ? [started?.attempt ?? 0] : [],
  );
  return attempts.at(-1) ?? 0;
}

/** Nothing is broken, and after one sweep nothing is left over. */
export async function expectSound(world: FinalWorld): Promise<void> {
  const { pool } = world.servers;
  const { workflowType, ...options } = SETTLE_START;
  const hour = await world.free(1);
  const input = { from: formatTime(hour.fromMs), to: formatTime(hour.toMs) };
  await world.rig.client.workflow.execute(workflowType, { ...options, args: [input] });
  const lake = openLake(world.rig.config.lakeUrl);
  const scratch: string[] = [];
  for await (const { key } of lake.list('scratch/')) scratch.push(key);
  expect(scratch, 'scratch objects after a sweep').toEqual([]);
  expect(await orphansOf(pool, lake), 'unlisted files of clicks').toEqual([]);
  const folders = join(world.rig.folder, 'scratch');
  expect(existsSync(folders) ? readdirSync(folders) : [], 'folders of tasks').toEqual([]);
  const { rows } = await pool.query(
    `select distinct generation from generation_cells c
      where not exists (select from generations g where g.id = c.generation)`,
  );
  expect(rows, 'cells of no generation').toEqual([]);
  await until('no transaction of a killed process is left', async () => {
    const { rows: open } = await pool.query(
      `select from pg_stat_activity where xact_start is not null and application_name in
         ('truecount worker', 'truecount-load')`,
    );
    return open.length === 0;
  });
  const report = await audit({ pool, lake, readLog: null, allGenerations: true, recompute: 3 });
  expect(report.checks.filter(({ status }) => status === 'broken')).toEqual([]);
  const passed = report.checks.filter(({ status }) => status === 'ok');
  const invariants = new Set(passed.map(({ invariant }) => invariant));
  expect([...invariants]).toEqual(expect.arrayContaining(['I5', 'I7', 'I8', 'I9', 'I10', 'I11']));
  expect(world.reader.wrong, 'seen by a reader meanwhile').toEqual([]);
}
