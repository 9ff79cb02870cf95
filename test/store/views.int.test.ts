import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freshDatabase, type TestDatabase } from '../support/stack.js';
import {
  WORLD_ADS,
  WORLD_FILTERS,
  WORLD_HOURS,
  clicksOf,
  emptyTables,
  load,
  minuteMs,
  seedLog,
  worlds,
  type World,
} from '../api/support/world.js';

const WATERMARK_MINUTE = 150;

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase();
  await seedLog(database.pool, minuteMs(WATERMARK_MINUTE) + 30_000);
});
afterAll(() => database.close());

interface ViewRow {
  ad_id: string;
  click_minute: Date;
  filter_id: string;
  count: string;
  state: string;
  revision: number;
}

async function viewRows(from: string): Promise<string[]> {
  const { rows } = await database.pool.query<ViewRow>(from);
  return rows
    .map((r) =>
      [r.ad_id, r.filter_id, r.click_minute.getTime(), r.count, r.state, r.revision].join('|'),
    )
    .sort();
}

function byHand(world: World, filters: readonly string[]): string[] {
  const rows: string[] = [];
  for (const ad of WORLD_ADS) {
    for (const filter of filters) {
      for (let minute = 0; minute < WORLD_HOURS * 60; minute++) {
        const count = clicksOf(world, ad, filter, minute, minute + 1);
        if (count === 0) continue;
        const state = minute + 1 <= WATERMARK_MINUTE ? 'provisional' : 'open';
        rows.push([ad, filter, minuteMs(minute), count, state, 0].join('|'));
      }
    }
  }
  return rows.sort();
}

test('both views hold every minute with clicks, and no other, for random worlds', async () => {
  const property = fc.asyncProperty(worlds, async (world) => {
    await load(database.pool, world);
    expect(await viewRows(`select *, '' as filter_id from ad_click_counts`)).toEqual(
      byHand(world, ['']),
    );
    expect(await viewRows('select * from ad_click_counts_filtered')).toEqual(
      byHand(world, WORLD_FILTERS.slice(1)),
    );
  });
  await fc.assert(property, { numRuns: 10 });
});

test('a condition on the ad is one index lookup per hour, and on click_hour fewer', async () => {
  await emptyTables(database.pool, 'hours', 'live_cells', 'late_clicks');
  await database.pool.query(
    `insert into hours (hour, rule_set)
     select $1::timestamptz + h * interval '1 hour', 'r' from generate_series(0, 23) h`,
    [new Date(minuteMs(0))],
  );
  await database.pool.query(
    `insert into live_cells (hour, filter, ad_id, slot, counts)
     select hour, f, 'ad-' || a, (select min(slot) from stream_progress), array_fill(1, array[60])
       from hours, unnest(array['', 'country:US']) f, generate_series(1, 200) a`,
  );
  await database.pool.query('analyze');
  const since = new Date(minuteMs(20 * 60 + 5)).toISOString();
  for (const view of ['ad_click_counts', 'ad_click_counts_filtered']) {
    const filter = view === 'ad_click_counts' ? '' : `and filter_id = 'country:US'`;
    const base = `select * from ${view} where ad_id = 'ad-7' ${filter}`;
    const all = await readsOf(`${base} and click_minute >= '${since}'`);
    expect(all).toEqual({ rows: 24, index: 'live_cells_pkey' });
    const few = await readsOf(
      `${base} and click_minute >= '${since}' and click_hour >= date_trunc('hour', '${since}'::timestamptz, 'UTC')`,
    );
    expect(few).toEqual({ rows: 4, index: 'live_cells_pkey' });
  }
});

test('of final hours a condition on the ad reads one row per hour, however many are kept', async () => {
  await emptyTables(database.pool, 'hours', 'live_cells', 'generation_cells', 'ledger');
  await database.pool.query(
    `insert into hours (hour, rule_set)
     select $1::timestamptz + h * interval '1 hour', 'r' from generate_series(0, 719) h`,
    [new Date(minuteMs(0))],
  );
  await database.pool.query(
    `with zeros as (select array_fill(0::bigint, array[60]) as z)
     insert into generations (hour, rule_set, inputs_hash, checksum, rows, cells, received, counted,
                              duplicate, filtered, built_by)
     select hour, 'r', hour::text || r, 'c', 0, 0, z, z, z, z, 'test'
       from hours, zeros, generate_series(1, 3) r order by hour, r`,
  );
  await database.pool.query(
    `insert into generation_cells
     select g.id, f, 'ad-' || a, array_fill(1, array[60])
       from generations g, unnest(array['', 'country:US']) f, generate_series(1, 20) a`,
  );
  await database.pool.query(
    `insert into ledger (publication, kind, request, body, prev_hash, hash)
     values (1, 'publish', 'r', '{}', '', 'h')`,
  );
  await database.pool.query(
    `insert into pointers
     select hour, row_number() over (partition by hour order by id), id, 1 from generations`,
  );
  await database.pool.query('analyze');
  const from = new Date(minuteMs(700 * 60)).toISOString();
  for (const view of ['ad_click_counts', 'ad_click_counts_filtered']) {
    const filter = view === 'ad_click_counts' ? '' : `and filter_id = 'country:US'`;
    const base = `select * from ${view} where ad_id = 'ad-7' ${filter}`;
    const wanted = { index: 'generation_cells_pkey' };
    expect(await readsOf(base, 'generation_cells')).toEqual({ ...wanted, rows: 720 });
    expect(await readsOf(`${base} and click_hour >= '${from}'`, 'generation_cells')).toEqual({
      ...wanted,
      rows: 20,
    });
  }
});

test('a role that may read the views needs no other right, and gets none', async () => {
  const client = await database.pool.connect();
  const role = `bi_${String(process.pid)}`;
  try {
    await client.query('begin');
    await client.query(`create role ${role}`);
    await client.query(`grant select on ad_click_counts, ad_click_counts_filtered to ${role}`);
    await client.query(`grant select on most_clicked_ads, served_cells to ${role}`);
    await client.query(`set local role ${role}`);
    await client.query(`select * from most_clicked_ads where window_size = 5 limit 1`);
    await client.query(`select * from served_cells limit 1`);
    for (const view of ['ad_click_counts', 'ad_click_counts_filtered']) {
      const { rows } = await client.query<{ state: string }>(`select state from ${view} limit 1`);
      expect(rows).toHaveLength(1);
    }
    await expect(client.query('select from live_cells')).rejects.toMatchObject({ code: '42501' });
  } finally {
    await client.query('rollback');
    client.release();
  }
});

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  Plans?: PlanNode[];
}

/** Rows of a relation that a query really read, and by which index. */
async function readsOf(
  sql: string,
  relation = 'live_cells',
): Promise<{ rows: number; index: string | undefined }> {
  const { rows } = await database.pool.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
    `explain (analyze, format json) ${sql}`,
  );
  const nodes: PlanNode[] = [];
  const collect = (node: PlanNode): void => {
    nodes.push(node);
    node.Plans?.forEach(collect);
  };
  collect(rows[0]!['QUERY PLAN'][0].Plan);
  const reads = nodes.filter((node) => node['Relation Name'] === relation);
  expect(reads).toHaveLength(1);
  const [read] = reads;
  return {
    rows: Math.round(read!['Actual Rows'] * read!['Actual Loops']),
    index: read!['Index Name'],
  };
}
