import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatTime } from '../../core/range.js';
import { get, openApi } from './support/open-api.js';
import {
  WORLD_ADS,
  WORLD_FILTERS,
  WORLD_HOURS,
  clicksOf,
  lateOf,
  load,
  minuteMs,
  seedLog,
  worlds,
} from './support/world.js';

// The watermark stands in the middle of a minute of the third hour: 30 s (the default) behind.
const WATERMARK_MINUTE = 150;
const MINUTES = WORLD_HOURS * 60;

let open: Awaited<ReturnType<typeof openApi>>;
beforeAll(async () => {
  open = await openApi();
  await seedLog(open.database.pool, minuteMs(WATERMARK_MINUTE) + 30_000 + 20_000);
});
afterAll(() => open.close());

const questions = fc.record({
  ad: fc.constantFrom(...WORLD_ADS),
  filter: fc.constantFrom(...WORLD_FILTERS),
  from: fc.integer({ min: -90, max: MINUTES }),
  length: fc.integer({ min: 1, max: MINUTES }),
});

test('count, state and late_pending equal brute force for random worlds and ranges', async () => {
  const property = fc.asyncProperty(
    worlds,
    fc.array(questions, { minLength: 10, maxLength: 10 }),
    async (world, asked) => {
      await load(open.database.pool, world);
      for (const { ad, filter, from, length } of asked) {
        const to = from + length;
        const path = `/ads/${encodeURIComponent(ad)}/aggregated_count`;
        const answer = await get(open.api, path, {
          from: formatTime(minuteMs(from)),
          to: formatTime(minuteMs(to)),
          ...(filter === '' ? {} : { filter_id: filter }),
        });
        expect(answer.status).toBe(200);
        expect(answer.body).toEqual({
          ad_id: ad,
          from: formatTime(minuteMs(from)),
          to: formatTime(minuteMs(to)),
          ...(filter === '' ? {} : { filter_id: filter }),
          count: clicksOf(world, ad, filter, from, to),
          state: to <= WATERMARK_MINUTE ? 'provisional' : 'open',
          revision: 0,
          final_until: null,
          late_pending: lateOf(world, ad, filter, from, to),
          as_of: 0,
        });
      }
    },
  );
  await fc.assert(property, { numRuns: 25 });
});

test('an ad and minutes that nobody clicked count 0 and still have a state', async () => {
  const before = { from: '2026-11-01T00', to: '2026-11-01T01' };
  const after = { from: '2027-11-01T00', to: '2027-11-01T01' };
  const past = await get(open.api, '/ads/nobody/aggregated_count', before);
  expect(past.body).toMatchObject({ count: 0, state: 'provisional', late_pending: 0 });
  const future = await get(open.api, '/ads/nobody/aggregated_count', after);
  expect(future.body).toMatchObject({ count: 0, state: 'open', late_pending: 0 });
});

test('before any partition has been read nothing is more than open', async () => {
  const fresh = await openApi();
  const range = { from: '2026-11-01T00', to: '2026-11-01T01' };
  const answer = await get(fresh.api, '/ads/a/aggregated_count', range);
  expect(answer.body).toMatchObject({ count: 0, state: 'open' });
  await fresh.close();
});

test('as_of is answered up to the newest publication and refused above it', async () => {
  const range = { from: '2026-11-01T00', to: '2026-11-01T01' };
  const known = await get(open.api, '/ads/a/aggregated_count', { ...range, as_of: 0 });
  expect(known.body).toMatchObject({ as_of: 0 });
  const unknown = await get(open.api, '/ads/a/aggregated_count', { ...range, as_of: 1 });
  expect(unknown).toMatchObject({ status: 404, body: { code: 'not_found' } });
});

test('a value that nobody clicked counts 0; a dimension that nobody counts is refused', async () => {
  const range = { from: '2026-11-01T00', to: '2026-11-01T01' };
  const path = '/ads/a/aggregated_count';
  const zero = await get(open.api, path, { ...range, filter_id: 'country:XX' });
  expect(zero).toMatchObject({ status: 200, body: { count: 0 } });
  const unknown = await get(open.api, path, { ...range, filter_id: 'contry:US' });
  expect(unknown).toMatchObject({
    status: 400,
    body: { code: 'invalid_argument', hint: 'the dimensions are country, device' },
  });
});

test('counts beyond 32 bits keep every digit', async () => {
  const big = 2_147_483_647;
  const counts = new Array<number>(60).fill(big);
  const cell = { hour: 0, filter: '', ad: 'a', counts };
  await load(open.database.pool, {
    cells: [0, 1, 2].map((partition) => ({ ...cell, partition })),
    late: [],
  });
  const answer = await get(open.api, '/ads/a/aggregated_count', {
    from: formatTime(minuteMs(0)),
    to: formatTime(minuteMs(60)),
  });
  expect(answer.body).toMatchObject({ count: 3 * 60 * big });
});
