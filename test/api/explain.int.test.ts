import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatTime } from '../../core/range.js';
import { HOUR_MS } from '../../core/time.js';
import { bucketOf } from '../../core/lake-file.js';
import { DEFAULT_RULE_SET, hashRuleSet } from '../../core/rules/rule-set.js';
import { beginWithRuleSet } from '../../store/rule-versions.js';
import { publish } from '../../store/publish/publish.js';
import { openSession } from '../../store/session.js';
import { seedGeneration } from '../support/generations.js';
import { get, openApi } from './support/open-api.js';

const HOUR = Date.UTC(2026, 10, 21, 10);
const LIVE_HOUR = HOUR + HOUR_MS;
const RULES = hashRuleSet(DEFAULT_RULE_SET);
const cutAt = (nextOffset: number) => [{ topic: 'clicks', partition: 0, nextOffset }];

let open: Awaited<ReturnType<typeof openApi>>;
let first: number;
let second: number;

// An hour that was cut at 100 and published, whose late click at 100 the second generation took in
// and whose late click at 120 waits; and an hour that the stream counts into.
beforeAll(async () => {
  open = await openApi();
  const { pool, url } = open.database;
  first = await seedGeneration(pool, generation(100, 3));
  second = await seedGeneration(pool, generation(110, 4));
  await beginWithRuleSet(pool, DEFAULT_RULE_SET);
  await pool.query(`insert into hour_cuts select $1, slot, 100 from stream_progress;`, [
    new Date(HOUR),
  ]);
  await pool.query('update stream_progress set next_offset = 150');
  for (const offset of [100, 120]) {
    await pool.query(
      `insert into late_clicks select $1, slot, $2, 5, 'ad', '{country:US}' from stream_progress`,
      [new Date(HOUR), offset],
    );
  }
  await pool.query('insert into hours (hour, rule_set) values ($1, $2)', [
    new Date(LIVE_HOUR),
    RULES,
  ]);
  const minute = minutes(5, 7);
  await pool.query(`insert into live_cells select $1, '', 'ad', slot, $2 from stream_progress`, [
    new Date(LIVE_HOUR),
    minute,
  ]);
  await pool.query(`insert into minute_flow select $1, slot, $2, $3, $4, $4 from stream_progress`, [
    new Date(LIVE_HOUR),
    minutes(5, 9),
    minutes(5, 2),
    minutes(5, 0),
  ]);
  await files(second);
  const session = await openSession({
    connection: { connectionString: url },
    applicationName: 't',
  });
  try {
    await publishIt(session, 'first', first, 0);
    await publishIt(session, 'second', second, 1);
  } finally {
    await session.end();
  }
});
afterAll(() => open.close());

function minutes(minute: number, count: number): number[] {
  return Array.from({ length: 60 }, (_, i) => (i === minute ? count : 0));
}

function generation(nextOffset: number, count: number) {
  return {
    hourMs: HOUR,
    ruleSet: DEFAULT_RULE_SET,
    cut: cutAt(nextOffset),
    cells: [
      ['', 'ad', { 5: count }],
      ['country:US', 'ad', { 5: count - 1 }],
    ] as const,
  };
}

async function publishIt(
  session: Awaited<ReturnType<typeof openSession>>,
  request: string,
  id: number,
  expectedRevision: number,
): Promise<void> {
  await publish(session, {
    request,
    kind: 'publish',
    hours: [{ hourMs: HOUR, generation: id, expectedRevision, reconciliation: null }],
    actor: 'tester',
    reason: `because of ${request}`,
    automatic: false,
  });
}

/** Two files of the hour, of which one can hold the ad. */
async function files(of: number): Promise<void> {
  const { pool } = open.database;
  const mine = bucketOf(new TextEncoder().encode('ad'), 2);
  for (const bucket of [0, 1]) {
    const { rows } = await pool.query<{ id: string }>(
      `insert into lake_files (key, bytes, sha256, rows, bucket, buckets, min_event_ms, max_event_ms)
       values ($1, 10, repeat('a', 64), 6, $2, 2, 0, 1) returning id`,
      [bucket === mine ? 'clicks/mine' : 'clicks/other', bucket],
    );
    const id = rows[0]!.id;
    await pool.query('insert into lake_file_hours values ($1, $2, 5)', [new Date(HOUR), id]);
    await pool.query('insert into lake_file_hours values ($1, $2, 1)', [new Date(LIVE_HOUR), id]);
    await pool.query(
      'insert into lake_file_ranges select $1, slot, 40, 112, 6 from stream_progress',
      [id],
    );
    await pool.query('insert into generation_files values ($1, $2)', [of, id]);
  }
}

const explain = (query: Record<string, string | number>) => get(open.api, '/ads/ad/explain', query);

describe('a final minute', () => {
  test('is explained by its generation, its files, and every publication of the hour', async () => {
    const { status, body } = await explain({ minute: '2026-11-21T10:05' });
    expect(body).toMatchObject({
      ad_id: 'ad',
      minute: '2026-11-21T10:05:00Z',
      value: 4,
      state: 'final',
      revision: 2,
      as_of: 2,
      rule_set: RULES,
      counted_by: 'generation',
      cut: [{ topic: 'clicks', partition: 0, next_offset: 110 }],
      generation: { id: second, built_by: 'test' },
      minute_of_all_ads: { received: 4, duplicates: 0, filtered: 0, counted: 4 },
      late: { examined: 1, waiting: 1 },
    });
    expect(status).toBe(200);
    const { files: found, publications } = body as { files: object[]; publications: object[] };
    expect(found).toEqual([
      {
        ...{ key: 'clicks/mine', bytes: 10, sha256: 'a'.repeat(64), rows: 6, rows_of_hour: 5 },
        ...{ bucket: bucketOf(new TextEncoder().encode('ad'), 2), buckets: 2 },
        offsets: [{ topic: 'clicks', partition: 0, from: 40, to: 112, rows: 6 }],
      },
    ]);
    expect(publications).toMatchObject([
      { publication: 1, kind: 'publish', revision: 1, actor: 'tester', reason: 'because of first' },
      { publication: 2, kind: 'publish', revision: 2, rule_set: RULES, reconciliation: null },
    ]);
  });

  test('is explained as it was at an earlier publication', async () => {
    const { body } = await explain({
      minute: '2026-11-21T10:05',
      filter_id: 'country:US',
      as_of: 1,
    });
    expect(body).toMatchObject({
      ...{ filter_id: 'country:US', value: 2, revision: 1, as_of: 1 },
      generation: { id: first },
      late: { examined: 0, waiting: 2 },
      files: [],
    });
    expect((body as { publications: object[] }).publications).toHaveLength(1);
  });

  test('was live before the first publication', async () => {
    const { body } = await explain({ minute: '2026-11-21T10:05', as_of: 0 });
    expect(body).toMatchObject({ revision: 0, counted_by: 'cut', generation: null });
    expect(body).toMatchObject({ cut: [{ next_offset: 100 }], publications: [] });
  });

  test('of a collected generation is refused as gone', async () => {
    const { pool } = open.database;
    await pool.query('update generations set collected_at = now() where id = $1', [first]);
    const { status, body } = await explain({ minute: '2026-11-21T10:05', as_of: 1 });
    await pool.query('update generations set collected_at = null where id = $1', [first]);
    expect([status, body]).toEqual([410, expect.objectContaining({ code: 'collected' })]);
  });
});

test('a live minute is explained by the stream’s position and the files so far', async () => {
  const { body } = await explain({ minute: '2026-11-21T11:05' });
  expect(body).toMatchObject({
    ...{ value: 7, revision: 0, as_of: 2, counted_by: 'stream', generation: null },
    cut: [{ topic: 'clicks', partition: 0, next_offset: 150 }],
    minute_of_all_ads: { received: 11, counted: 9, duplicates: 2, filtered: 0, late: 0 },
    files: [{ key: 'clicks/mine', rows_of_hour: 1 }],
    publications: [],
  });
});

test('filtered clicks of the minute are told by reason: of the stream, and of the generation', async () => {
  const { pool } = open.database;
  const reasons = (of: Record<string, number>) =>
    Object.entries(of).map(([reason, n]) => [
      reason,
      Array.from({ length: 60 }, (_, m) => (m === 5 ? n : 0)),
    ]);
  for (const [reason, counts] of reasons({ too_many: 1, robot: 2, unused: 0 })) {
    await pool.query(`insert into filtered_flow values ($1, 0, $2, $3), ($1, 1, $2, $3)`, [
      ...[new Date(LIVE_HOUR), reason, counts],
    ]);
  }
  for (const [reason, counts] of reasons({ robot: 5 })) {
    await pool.query(`insert into generation_filtered values ($1, $2, $3)`, [
      ...[second, reason, counts],
    ]);
  }
  const byReason = async (query: Record<string, string | number>) => {
    const { body } = await explain(query);
    return (body as { minute_of_all_ads: { filtered_by: object } }).minute_of_all_ads.filtered_by;
  };
  expect(await byReason({ minute: '2026-11-21T11:05' })).toEqual({ robot: 4, too_many: 2 });
  expect(await byReason({ minute: '2026-11-21T11:06' })).toEqual({});
  expect(await byReason({ minute: '2026-11-21T10:05' })).toEqual({ robot: 5 });
  expect(await byReason({ minute: '2026-11-21T10:05', as_of: 1 })).toEqual({});
});

test.each([
  [{ minute: '2026-11-21T10:05:30Z' }, 400, 'invalid_range'],
  [{ minute: '2026-11-21T10:05', as_of: 9 }, 404, 'not_found'],
  [{ minute: '2026-11-21T10:06', filter_id: 'contry:US' }, 400, 'invalid_argument'],
  [{ minute: '2026-11-21T10:05', verify: 'true' }, 503, 'component_unavailable'],
])('%j is refused', async (query, status, code) => {
  expect(await explain(query as Record<string, string>)).toMatchObject({ status, body: { code } });
});

test('entries are told as they are, also what jsonb does not take; with the diff behind them', async () => {
  const own = await openApi();
  const { pool } = own.database;
  const id = await seedGeneration(pool, generation(100, 3));
  await beginWithRuleSet(pool, DEFAULT_RULE_SET);
  const { rows } = await pool.query<{ id: string }>(
    `insert into reconciliations (hour, generation, against, revision, clicks_base, clicks_new,
       clicks_moved, cells_compared, cells_differ, causes, drift, threshold, decision, reason, made_by)
     values ($1, $2, 'live', 0, 1, 1, 0, 1, 8, '{}', 0.5, 0, 'hold', '', 'test') returning id`,
    [new Date(HOUR), id],
  );
  const diff = Number(rows[0]!.id);
  const hour = { hour: formatTime(HOUR), rule_set: RULES, inputs: 'i' };
  // The first is of a release that took any text.
  for (const [i, [reason, reconciliation]] of [
    ['a\u0000b \ud800', 'see mail of Monday'],
    ['why', diff],
  ].entries()) {
    const n = i + 1;
    const body = { actor: 'ada', reason, hours: [{ ...hour, revision: n, reconciliation }] };
    await pool.query(
      `with entry as (
         insert into ledger (publication, kind, request, body, prev_hash, hash, at)
         values ($1::bigint, 'publish', $1::bigint, $2, $3, $3, now())
       )
       update ledger_head set publication = $1::bigint`,
      [n, JSON.stringify(body), String(n).repeat(64)],
    );
    await pool.query('insert into pointers values ($1, $2, $3, $4)', [new Date(HOUR), n, id, n]);
  }
  const answer = await get(own.api, '/ads/ad/explain', { minute: '2026-11-21T10:05' });
  await own.close();
  expect(answer).toMatchObject({
    status: 200,
    body: {
      value: 3,
      publications: [
        { revision: 1, actor: 'ada', reason: 'a\u0000b \ud800', reconciliation: null },
        {
          ...{ revision: 2, reason: 'why', rule_set: RULES },
          reconciliation: { id: diff, cells_differ: 8, drift: 0.5, decision: 'hold' },
        },
      ],
    },
  });
});
