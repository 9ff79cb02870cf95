import { afterAll, beforeAll, expect, it } from 'vitest';
import { formatTime } from '../../core/range.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { HOUR_MS } from '../../core/time.js';
import { openSession } from '../../store/session.js';
import { putRuleSet } from '../../store/rule-versions.js';
import { replayRangeStart } from '../../workflows/start-options.js';
import type { ReplayRangeResult } from '../../workflows/contract.js';
import { until } from '../support/until.js';
import { Rig } from '../workflows/support/rig.js';

const FIRST_MS = Date.UTC(2025, 10, 21, 10);
const RULES: RuleSet = {
  version: 1,
  dimensions: [
    { name: 'country', field: 'country' },
    { name: 'device', field: 'device' },
    { name: 'both', cross: ['country', 'device'] },
  ],
  filters: [
    { reason: 'robot', when: [{ field: 'user_agent', matches: '(?i)bot' }] },
    { reason: 'too_many', cap: { field: 'user_id', max: 2 } },
  ],
};

let rig: Rig;

beforeAll(async () => {
  rig = await Rig.start();
  const session = await openSession({
    connection: { connectionString: rig.database.url },
    applicationName: 'test-rules',
  });
  await putRuleSet(session, {
    ruleSet: RULES,
    sinceMs: FIRST_MS,
    author: 'ada',
    reason: 'filters',
  });
  await session.end();
  await rig.startWorker();
});

afterAll(async () => {
  await rig?.close();
});

it('an hour with filtered clicks becomes final, with the same cells and reasons as live', async () => {
  // Five clicks a user and minute: three are above the cap; every fourth user is a robot.
  const records = Array.from({ length: 200 }, (_, i) => {
    const user = Math.floor(i / 5);
    const click = {
      ...{ event_id: `e${String(i)}`, ad_id: 'ad', user_id: `u${String(user)}` },
      ...{ timestamp: FIRST_MS + (user % 10) * 60_000, country: 'US', device: 'mobile' },
      user_agent: user % 4 === 0 ? 'SomeBot/1.0' : 'Mozilla',
    };
    return { key: 'ad', line: JSON.stringify(click) };
  });
  await rig.produce(records);
  await until('all is archived', async () => {
    const { rows } = await rig.pool.query<{ n: string }>('select sum(rows) as n from lake_files');
    return Number(rows[0]!.n) === records.length;
  });
  const range = { from: formatTime(FIRST_MS), to: formatTime(FIRST_MS + HOUR_MS) };
  const input = { ...range, actor: 'ada', reason: 'final' };
  const result = await rig.run<ReplayRangeResult>(replayRangeStart(input), input);
  expect(result).toMatchObject({ published: 1, held: 0, cellsDiffer: 0 });

  const sums = async (table: string, key: string): Promise<unknown> => {
    const { rows } = await rig.pool.query(
      `select reason, sum(n)::int as n from ${table}, unnest(counts) n where ${key} group by 1 order by 1`,
    );
    return rows;
  };
  const reasons = [
    { reason: 'robot', n: 50 },
    { reason: 'too_many', n: 90 },
  ];
  expect(await sums('filtered_flow', 'true'), 'live').toEqual(reasons);
  expect(await sums('generation_filtered', 'true'), 'final').toEqual(reasons);
  const { rows } = await rig.pool.query<{ filter_id: string; n: number }>(
    `select filter_id, sum(count)::int as n from ad_click_counts_filtered
      where state = 'final' group by 1 order by 1`,
  );
  expect(rows).toContainEqual({ filter_id: 'both:US×mobile', n: 60 });
});
