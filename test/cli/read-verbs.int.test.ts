import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { buildProgram } from '../../cli/program.js';
import { captureOutput } from '../support/captured-output.js';
import { get, openApi } from '../api/support/open-api.js';
import { load, seedLog } from '../api/support/world.js';

// An ad_id and a record that would act on a terminal, and a record that is no text.
const NASTY_AD = 'ad\u202e ☂';
const NASTY_RECORD = Buffer.from('\u001b[2J{"ad_id":\u009b');
const BINARY_RECORD = Buffer.from([0xff, 0x00, 0x41]);

let open: Awaited<ReturnType<typeof openApi>>;
beforeAll(async () => {
  open = await openApi();
  const { pool } = open.database;
  await seedLog(pool, Date.UTC(2026, 10, 21, 12));
  const counts = new Array<number>(60).fill(1);
  await load(pool, {
    cells: [
      { hour: 0, filter: '', ad: NASTY_AD, partition: 0, counts },
      { hour: 0, filter: '', ad: 'b', partition: 1, counts },
    ],
    late: [{ hour: 0, partition: 1, offset: 70, minute: 3, ad: 'b', filters: [] }],
  });
  await pool.query(
    `update hours set state = 'cut', cut_at = '2026-11-21T00:00Z' where hour = '2026-11-20T22:00Z'`,
  );
  await pool.query(
    `insert into hour_cuts select '2026-11-20T22:00Z', slot, 60 + partition from stream_progress`,
  );
  await pool.query(
    `insert into quarantine (slot, log_offset, append_time, reason, detail, raw)
     select slot, o.n, timestamptz '2026-11-20T22:00Z' + o.n * interval '1 minute', o.reason,
            'why: ' || chr(27), o.raw
       from stream_progress,
            (values (1, 'not_json', $1::bytea), (2, 'not_utf8', $2), (3, 'empty', null),
                    (4, 'not_json', $3)) o (n, reason, raw)
      where partition = 0`,
    [NASTY_RECORD, BINARY_RECORD, Buffer.alloc(5_000, 'ä')],
  );
});
afterAll(() => open.close());

/** Runs a verb as the command line does and returns what it wrote to stdout. */
async function run(...args: string[]): Promise<string> {
  const output = captureOutput();
  try {
    const all = [...args, '--set', `postgresUrl=${open.database.url}`];
    await (await buildProgram(all)).parseAsync(all, { from: 'user' });
  } finally {
    vi.restoreAllMocks();
  }
  return output.stdout;
}

async function runJson(...args: string[]): Promise<unknown> {
  return JSON.parse(await run(...args, '--json'));
}

describe('with --json the verbs give what the API gives', () => {
  test('query count', async () => {
    const range = { from: '2026-11-20T22', to: '2026-11-20T22:30' };
    const asked = ['query', 'count', NASTY_AD, '--from', range.from, '--to', range.to];
    const path = `/ads/${encodeURIComponent(NASTY_AD)}/aggregated_count`;
    expect(await runJson(...asked)).toEqual((await get(open.api, path, range)).body);
    expect(await runJson(...asked, '--as-of', '0')).toMatchObject({ count: 30, as_of: 0 });
    const filtered = await runJson(...asked, '--filter', 'country:US');
    expect(filtered).toMatchObject({ count: 0, filter_id: 'country:US' });
  });

  test('query top', async () => {
    const query = { window_size: 60, top_n: 2, at: '2026-11-20T23' };
    const asked = ['query', 'top', '--window-size', '60', '--top-n', '2', '--at', query.at];
    const answer = await runJson(...asked);
    expect(answer).toEqual((await get(open.api, '/ads/popular_ads', query)).body);
    expect(answer).toMatchObject({ ads: [{ ad_id: NASTY_AD, count: 60 }, { ad_id: 'b' }] });
  });

  test('hours', async () => {
    const range = { from: '2026-11-20T22', to: '2026-11-21T00' };
    const answer = await runJson('hours', '--from', range.from, '--to', range.to);
    expect(answer).toEqual((await get(open.api, '/hours', range)).body);
    expect(answer).toMatchObject({
      watermark: '2026-11-21T11:59:30Z',
      hours: [
        {
          hour: '2026-11-20T22:00:00Z',
          state: 'provisional',
          revision: 0,
          rule_set: 'r',
          cut_at: '2026-11-21T00:00:00Z',
          cut: [0, 1, 2].map((partition) => ({
            topic: 'clicks',
            partition,
            next_offset: 60 + partition,
          })),
          late_waiting: 1,
          due: false,
        },
        { hour: '2026-11-20T23:00:00Z', cut_at: null, cut: [], late_waiting: 0, due: true },
      ],
    });
  });
});

describe('for people', () => {
  test('tables never print what acts on a terminal', async () => {
    const outputs = [
      await run('query', 'top', '--window-size', '60', '--top-n', '2', '--at', '2026-11-20T23'),
      await run('query', 'count', NASTY_AD, '--from', '2026-11-20T22', '--to', '2026-11-20T23'),
      await run('quarantine', 'list'),
      await run('quarantine', 'show', 'clicks', '0', '1'),
    ];
    for (const output of outputs)
      expect(output.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(outputs[0]).toContain('ad\\u{202e} ☂');
  });

  test('hours shows the cut positions, what is due, and the late clicks', async () => {
    const lines = (await run('hours')).split('\n');
    expect(lines[0]).toBe('watermark 2026-11-21T11:59:30Z');
    expect(lines[2]).toMatch(/22:00:00Z +provisional +0 +r +1 +0@60 1@61 2@62$/);
    expect(lines[3]).toMatch(/23:00:00Z +provisional +0 +r +0 +due$/);
  });
});

describe('quarantine', () => {
  test('list gives the newest first, by reason, append time and limit', async () => {
    const offsets = async (...more: string[]): Promise<number[]> => {
      const answer = await runJson('quarantine', 'list', ...more);
      return (answer as { records: { offset: number }[] }).records.map(({ offset }) => offset);
    };
    expect(await offsets()).toEqual([4, 3, 2, 1]);
    expect(await offsets('--reason', 'not_json')).toEqual([4, 1]);
    expect(await offsets('--from', '2026-11-20T22:02', '--to', '2026-11-20T22:04')).toEqual([3, 2]);
    expect(await offsets('--limit', '2')).toEqual([4, 3]);
  });

  test('a long record is previewed, and one without a value is told from an empty one', async () => {
    const answer = await runJson('quarantine', 'list');
    const { records } = answer as { records: { bytes: number | null; preview: string | null }[] };
    expect(records[0]).toMatchObject({
      bytes: 5_000,
      preview: `${'ä'.repeat(30)}… (4940 bytes more)`,
    });
    expect(records[1]).toMatchObject({ bytes: null, preview: null });
  });

  test('show gives every byte of one record', async () => {
    const binary = await runJson('quarantine', 'show', 'clicks', '0', '2');
    expect(binary).toMatchObject({
      reason: 'not_utf8',
      raw_base64: BINARY_RECORD.toString('base64'),
    });
    expect(await run('quarantine', 'show', 'clicks', '0', '2')).toContain('\\xff\\u{0}A');
    expect(await run('quarantine', 'show', 'clicks', '0', '4')).toContain('ä'.repeat(2_500));
  });

  test('a position where nothing is quarantined is not found', async () => {
    await expect(run('quarantine', 'show', 'clicks', '0', '9')).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});

test.each([
  [['query', 'count', '', '--from', '2026-11-20T22', '--to', '2026-11-20T23']],
  [['query', 'count', 'a', '--from', '2026-11-20T22', '--to', '2026-11-20T23', '--as-of', 'x']],
  [['query', 'top', '--window-size', '1e3', '--top-n', '2']],
  [['query', 'top', '--window-size', '5', '--top-n', '0']],
  [['quarantine', 'list', '--reason', 'bad']],
  [['quarantine', 'list', '--limit', '0']],
  [['quarantine', 'show', 'clicks', 'first', '1']],
])('%j is wrong usage', async (args) => {
  await expect(run(...args)).rejects.toMatchObject({ code: 'invalid_argument' });
});

test('explain says for which reasons clicks of the minute were filtered', async () => {
  await open.database.pool.query(`
    insert into minute_flow (hour, slot, counted, duplicate, filtered, late)
    select '2026-11-20T22:00Z', slot, n, n, array_fill(0, array[3]) || 5 || array_fill(0, array[56]), n
      from stream_progress, (values (array_fill(0, array[60]))) z (n) where partition = 0`);
  await open.database.pool.query(`
    insert into filtered_flow
    select '2026-11-20T22:00Z', slot, reason, array_fill(0, array[3]) || n || array_fill(0, array[56])
      from stream_progress, (values ('too_many', 2), ('robot', 3)) of (reason, n) where partition = 0`);
  const text = await run('explain', 'b', '2026-11-20T22:03');
  expect(text).toContain(
    '5 received - 0 duplicates - 5 filtered (robot 3, too_many 2) = 0 counted',
  );
  expect(await run('explain', 'b', '2026-11-20T22:04')).toContain('- 0 filtered = 0 counted');
});
