import { afterAll, beforeAll, expect, it } from 'vitest';
import { jsonText } from '../../cli/output.js';
import { formatTime } from '../../core/range.js';
import { DAY_MS, HOUR_MS } from '../../core/time.js';
import { answerCount } from '../../api/answers/count.js';
import { openApi } from './support/open-api.js';

// Every minute of a year holds the most that a cell can, in as many partitions as it takes for the sum
// not to be a number of JavaScript any more.
const CELL_MAX = 2n ** 31n - 1n;
const DAYS = 366;
const PARTITIONS = 9;
const FROM_MS = Date.UTC(2025, 0, 1);
const TO_MS = FROM_MS + DAYS * DAY_MS;

let open: Awaited<ReturnType<typeof openApi>>;
beforeAll(async () => {
  open = await openApi();
  await open.database.pool.query(
    `insert into live_cells (hour, filter, ad_id, slot, counts)
     select h, '', 'a', slot, array_fill($1::integer, array[60])
       from generate_series($2::timestamptz, $3::timestamptz, interval '1 hour') h,
            generate_series(1, $4) slot`,
    [String(CELL_MAX), new Date(FROM_MS), new Date(TO_MS - HOUR_MS), PARTITIONS],
  );
  // One click that is not as often as the others: the sum has to end in its digits.
  await open.database.pool.query(
    `update live_cells set counts[7] = 4 where slot = 1 and hour = $1`,
    [new Date(FROM_MS)],
  );
});
afterAll(() => open.close());

const sumOf = (minutes: number): bigint => CELL_MAX * BigInt(minutes * PARTITIONS) - CELL_MAX + 4n;
const from = formatTime(FROM_MS);

async function text(path: string, query: Record<string, string>): Promise<string> {
  const answer = await open.api.inject({ method: 'GET', url: path, query });
  expect(answer.statusCode).toBe(200);
  return answer.body;
}

it('a count beyond what a double holds is given to its last digit', async () => {
  const sum = sumOf(DAYS * 24 * 60);
  expect(sum).toBeGreaterThan(2n ** 53n);
  expect(BigInt(Number(sum))).not.toBe(sum);
  const range = { from, to: formatTime(TO_MS) };
  expect(await text('/ads/a/aggregated_count', range)).toContain(`"count":${String(sum)},`);
  const answer = await answerCount(open.database.pool, { ad_id: 'a', ...range });
  expect(jsonText(answer)).toContain(`"count": ${String(sum)},`);
});

it('so is a count in a top list', async () => {
  const window = { window_size: String(DAYS * 24 * 60), top_n: '1', at: formatTime(TO_MS) };
  const sum = sumOf(DAYS * 24 * 60);
  expect(await text('/ads/popular_ads', window)).toContain(`{"ad_id":"a","count":${String(sum)}}`);
});

it('a series adds up to its count', async () => {
  const to = formatTime(FROM_MS + 31 * DAY_MS);
  const body = await text('/ads/a/timeseries', { from, to, granularity: 'day' });
  expect(body).toContain(`"count":${String(sumOf(31 * 24 * 60))},`);
  const { buckets } = JSON.parse(body) as { buckets: { count: number }[] };
  expect(buckets.reduce((all, { count }) => all + BigInt(count), 0n)).toBe(sumOf(31 * 24 * 60));
});
