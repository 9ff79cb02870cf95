import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { formatTime } from '../../core/range.js';
import { HOUR_MS } from '../../core/time.js';
import type { SettleResult } from '../../workflows/contract.js';
import { SETTLE_START } from '../../workflows/start-options.js';
import { untilArchived } from '../support/archive.js';
import { truecount } from '../support/command-line.js';
import { kafkaBrokers } from '../support/stack.js';
import { cellDifferences, liveCells, untilCounted, type Cells } from '../support/stream.js';
import { until } from '../support/until.js';
import { recordHistory } from './support/histories.js';
import { Rig, clicksOf } from './support/rig.js';

const FIRST_MS = Date.UTC(2025, 10, 21, 10);
const HOURS = 3;
const CLICKS = 2_000;
let rig: Rig;

beforeAll(async () => {
  rig = await Rig.start();
  await rig.startWorker();
}, 120_000);

afterAll(async () => {
  await rig?.close();
});

/** @param scenario under which its history is kept */
async function settle(scenario?: string): Promise<SettleResult> {
  const { workflowType, ...options } = SETTLE_START;
  const handle = await rig.client.workflow.start(workflowType, { ...options, args: [{}] });
  const result = (await handle.result()) as SettleResult;
  if (scenario !== undefined) await recordHistory('settleDueHours', scenario, handle);
  return result;
}

/** What `truecount hours` tells of the last hour, to programs and to people. */
async function told(hourMs: number): Promise<{ document: unknown; line: string }> {
  const range = ['--from', formatTime(hourMs), '--to', formatTime(hourMs + HOUR_MS)];
  const env = { TRUECOUNT_POSTGRES_URL: rig.database.url, TRUECOUNT_HOME: rig.folder };
  const json = await truecount(['hours', ...range, '--json'], env);
  const text = await truecount(['hours', ...range], env);
  const { hours } = JSON.parse(json.stdout) as { hours: unknown[] };
  return { document: hours[0], line: text.stdout.trim().split('\n').at(-1)! };
}

async function servedCells(): Promise<Cells> {
  const { rows } = await rig.pool.query<{ ad: string; ms: string; filter: string; n: string }>(
    `select c.ad_id as ad, extract(epoch from p.hour) * 1000 + (m.i - 1) * 60000 as ms, c.filter,
            m.n
       from (select distinct on (hour) hour, generation from pointers order by hour, revision desc) p
       join generation_cells c using (generation),
            unnest(c.counts) with ordinality as m (n, i)
      where m.n <> 0`,
  );
  return new Map(rows.map((r) => [`${r.ad}|${String(Number(r.ms))}|${r.filter}`, Number(r.n)]));
}

it('makes hours final whose time has come: the same cells as were counted live', async () => {
  for (let i = 0; i < HOURS; i++) await rig.produce(clicksOf(FIRST_MS + i * HOUR_MS, CLICKS));
  await untilCounted(rig.pool, kafkaBrokers(), rig.topic);
  await until('the hours are due', async () => {
    const { rows } = await rig.pool.query<{ due: Date }>('select hours_due_until() as due');
    return rows[0]!.due.getTime() >= FIRST_MS + (HOURS - 1) * HOUR_MS;
  });
  const before = await liveCells(rig.pool);
  const result = await settle('settled');
  expect(result).toMatchObject({ cut: HOURS, published: HOURS, held: 0, failed: [] });
  expect(cellDifferences(await servedCells(), before)).toEqual([]);
  expect(before.size).toBeGreaterThan(1_000);
}, 120_000);

it('finds nothing due afterwards', async () => {
  expect(await settle('nothing-due')).toMatchObject({
    cut: 0,
    published: 0,
    confirmed: 0,
    failed: [],
  });
});

it('publishes late clicks of a final hour as its second revision', async () => {
  await rig.produce(clicksOf(FIRST_MS, 50, CLICKS));
  await untilCounted(rig.pool, kafkaBrokers(), rig.topic);
  const result = await settle('late-clicks');
  expect(result).toMatchObject({ cut: 0, published: 1, confirmed: 0, failed: [] });
  const { rows } = await rig.pool.query(
    'select max(revision) as revision from pointers where hour = $1',
    [new Date(FIRST_MS)],
  );
  expect(rows).toEqual([{ revision: 2 }]);
}, 60_000);

it('confirms a final hour to which only retries came', async () => {
  await rig.produce(clicksOf(FIRST_MS + HOUR_MS, 30));
  await untilCounted(rig.pool, kafkaBrokers(), rig.topic);
  const result = await settle('only-retries');
  expect(result).toMatchObject({ published: 0, confirmed: 1, failed: [] });
  const confirmed = await rig.pool.query<{ body: string }>(
    `select body from ledger where kind = 'confirm'`,
  );
  expect(confirmed.rows[0]!.body).toContain(formatTime(FIRST_MS + HOUR_MS));
}, 60_000);

it('tells why an hour is not final, and forgets it when it is', async () => {
  const hourMs = FIRST_MS + HOURS * HOUR_MS;
  await rig.produce(clicksOf(hourMs, CLICKS));
  await untilCounted(rig.pool, kafkaBrokers(), rig.topic);
  await untilArchived(rig.pool, kafkaBrokers(), rig.topic);
  const { rows: files } = await rig.pool.query<{ key: string }>(
    'select key from lake_files join lake_file_hours on file = id where hour = $1 order by id',
    [new Date(hourMs)],
  );
  const lost = join(rig.config.lakeUrl, files[0]!.key);
  await rename(lost, `${lost}.away`);

  const first = await settle('lost-file');
  const error = first.failed[0]?.error ?? '';
  expect(first).toMatchObject({ cut: 1, published: 0, failed: [{ hour: formatTime(hourMs) }] });
  expect(error).toMatch(/^lake_file_missing: /);
  expect(error).toContain(files[0]!.key);
  const once = await told(hourMs);
  expect(once.document).toMatchObject({ revision: 0, failure: { times: 1, error } });
  expect(once.line).toContain(error);

  expect(await settle()).toMatchObject({ cut: 0, failed: [{ error }] });
  expect(await told(hourMs)).toMatchObject({
    document: { revision: 0, failure: { times: 2, error } },
    line: expect.stringMatching(/failed 2 times since .+: lake_file_missing: /) as string,
  });

  await rename(`${lost}.away`, lost);
  expect(await settle()).toMatchObject({ published: 1, failed: [] });
  const restored = await told(hourMs);
  expect(restored.document).toMatchObject({ revision: 1, state: 'final', failure: null });
  expect(restored.line).not.toContain('failed');
}, 120_000);
