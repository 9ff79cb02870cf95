import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApi } from '../../api/app.js';
import type { Api } from '../../api/type-provider.js';
import { formatTime } from '../../core/range.js';
import { HOUR_MS } from '../../core/time.js';
import type { SettleResult } from '../../workflows/contract.js';
import { SETTLE_START } from '../../workflows/start-options.js';
import { MIGRATIONS, get } from '../api/support/open-api.js';
import { untilArchived } from '../support/archive.js';
import { truecount } from '../support/command-line.js';
import { kafkaBrokers } from '../support/stack.js';
import {
  cellDifferences,
  liveCells,
  untilCounted,
  type Cells,
  type LogRecord,
} from '../support/stream.js';
import { until } from '../support/until.js';
import { recordHistory } from './support/histories.js';
import { Rig, clicksOf } from './support/rig.js';

const FIRST_MS = Date.UTC(2025, 10, 21, 10);
const HOURS = 3;
const CLICKS = 2_000;
/** All that `clicksOf` has. */
const ADS = Array.from({ length: 17 }, (_, i) => `ad-${String(i)}`);
let rig: Rig;
let api: Api;

beforeAll(async () => {
  rig = await Rig.start();
  await rig.startWorker();
  api = await createApi({ pool: rig.pool, migrations: MIGRATIONS });
});

afterAll(async () => {
  await api?.close();
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
});

it('finds nothing due afterwards', async () => {
  expect(await settle('nothing-due')).toMatchObject({
    cut: 0,
    published: 0,
    confirmed: 0,
    failed: [],
  });
});

/** How many late clicks wait in an hour, as the API tells of the hour and of all ads in it. */
async function lateOf(hourMs: number): Promise<{ revision: number; late: number }> {
  const range = { from: formatTime(hourMs), to: formatTime(hourMs + HOUR_MS) };
  const { body } = await get(api, '/hours', range);
  const [hour] = (body as { hours: { revision: number; late_waiting: number }[] }).hours;
  let late = 0;
  for (const adId of ADS) {
    const count = await get(api, `/ads/${adId}/aggregated_count`, range);
    const { revision, late_pending } = count.body as { revision: number; late_pending: number };
    expect(revision, adId).toBe(hour!.revision);
    late += late_pending;
  }
  expect(hour!.late_waiting, 'late clicks of the hour are those of its ads').toBe(late);
  return { revision: hour!.revision, late };
}

/** All that the feed tells after a publication. */
async function feed(after: number): Promise<{ changes: object[]; revisions: object[] }> {
  const { body } = await get(api, '/changes', { after, limit: 10_000 });
  const page = body as { changes: object[]; revisions: object[]; next: { cursor: unknown } };
  expect(page.next.cursor, 'one page').toBeNull();
  return page;
}

async function newestPublication(): Promise<number> {
  return ((await get(api, '/ledger')).body as { as_of: number }).as_of;
}

/** How often each cell occurs in clicks, by what a click's fields mean; `ad|minute ms|filter`. */
function cellsOf(clicks: readonly LogRecord[]): Cells {
  const cells: Cells = new Map();
  for (const line of new Set(clicks.map((click) => String(click.line)))) {
    const click = JSON.parse(line) as Record<'ad_id' | 'country' | 'device', string> & {
      timestamp: number;
    };
    const country = click.country === 'UK' ? 'GB' : click.country;
    const filters = ['', `country:${country}`, `device:${click.device}`, 'format:unknown'];
    const minute = String(click.timestamp - (click.timestamp % 60_000));
    for (const filter of filters) {
      const cell = `${click.ad_id}|${minute}|${filter}`;
      cells.set(cell, (cells.get(cell) ?? 0) + 1);
    }
  }
  return cells;
}

it('publishes late clicks of a final hour as its second revision, and tells their cells', async () => {
  const before = await servedCells();
  const publication = await newestPublication();
  const late = [...clicksOf(FIRST_MS, 50, CLICKS)];
  expect(await lateOf(FIRST_MS)).toEqual({ revision: 1, late: 0 });
  await rig.produce(late);
  await untilCounted(rig.pool, kafkaBrokers(), rig.topic);
  expect(await lateOf(FIRST_MS), 'retries among them too').toEqual({ revision: 1, late: 55 });
  expect(await feed(publication)).toMatchObject({ changes: [], revisions: [] });

  const result = await settle('late-clicks');
  expect(result).toMatchObject({ cut: 0, published: 1, confirmed: 0, failed: [] });
  expect(await lateOf(FIRST_MS)).toEqual({ revision: 2, late: 0 });
  const hour = formatTime(FIRST_MS);
  const revision = { publication: publication + 1, hour, revision: 2 };
  const added = [...cellsOf(late)];
  const expected = added.map(([cell, n]) => {
    const [adId, minute, filter] = cell.split('|') as [string, string, string];
    const was = before.get(cell) ?? 0;
    return {
      ...{ ...revision, ad_id: adId, minute: formatTime(Number(minute)) },
      ...(filter === '' ? {} : { filter_id: filter }),
      ...{ before: was, count: was + n },
    };
  });
  const { changes, revisions } = await feed(publication);
  expect(revisions).toMatchObject([revision]);
  expect(changes).toHaveLength(expected.length);
  expect(changes).toEqual(expect.arrayContaining(expected));
  const now = new Map([
    ...before,
    ...added.map(([cell, n]) => [cell, n + (before.get(cell) ?? 0)] as const),
  ]);
  expect(cellDifferences(await servedCells(), now)).toEqual([]);
});

it('confirms a final hour to which only retries came: no revision, and none waits', async () => {
  const hourMs = FIRST_MS + HOUR_MS;
  const before = await servedCells();
  const publication = await newestPublication();
  await rig.produce(clicksOf(hourMs, 30));
  await untilCounted(rig.pool, kafkaBrokers(), rig.topic);
  expect(await lateOf(hourMs), 'they may be new').toEqual({ revision: 1, late: 33 });
  const result = await settle('only-retries');
  expect(result).toMatchObject({ published: 0, confirmed: 1, failed: [] });
  expect(await lateOf(hourMs)).toEqual({ revision: 1, late: 0 });
  const { body } = await get(api, '/ledger', { after: publication });
  expect(body).toMatchObject({
    as_of: publication + 1,
    entries: [{ kind: 'confirm', body: expect.stringContaining(formatTime(hourMs)) as string }],
  });
  expect(await feed(publication)).toMatchObject({ changes: [], revisions: [] });
  expect(cellDifferences(await servedCells(), before)).toEqual([]);
});

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
});
