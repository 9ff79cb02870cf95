import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatTime } from '../../core/range.js';
import { get, openApi } from './support/open-api.js';
import {
  WORLD_ADS,
  WORLD_FILTERS,
  WORLD_HOURS,
  clicksOf,
  load,
  minuteMs,
  seedLog,
  worlds,
  type World,
} from './support/world.js';

const WATERMARK_MINUTE = 150;
const MINUTES = WORLD_HOURS * 60;

let open: Awaited<ReturnType<typeof openApi>>;
beforeAll(async () => {
  open = await openApi();
  await seedLog(open.database.pool, minuteMs(WATERMARK_MINUTE) + 30_000 + 20_000);
});
afterAll(() => open.close());

/** All ads sorted by hand: clicks, then the bytes of the id. */
function topOf(world: World, filter: string, from: number, to: number, topN: number) {
  return WORLD_ADS.map((ad) => ({ ad_id: ad, count: clicksOf(world, ad, filter, from, to) }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count || Buffer.compare(Buffer.from(a.ad_id), Buffer.from(b.ad_id)))
    .slice(0, topN);
}

const questions = fc.record({
  filter: fc.constantFrom(...WORLD_FILTERS),
  at: fc.integer({ min: -10, max: MINUTES + 90 }),
  windowSize: fc.oneof(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: MINUTES + 60 })),
  topN: fc.integer({ min: 1, max: WORLD_ADS.length + 1 }),
});

test('top ads, ties included, equal brute force for random worlds and windows', async () => {
  const property = fc.asyncProperty(
    worlds,
    fc.array(questions, { minLength: 10, maxLength: 10 }),
    async (world, asked) => {
      await load(open.database.pool, world);
      for (const { filter, at, windowSize, topN } of asked) {
        const answer = await get(open.api, '/ads/popular_ads', {
          window_size: windowSize,
          top_n: topN,
          at: formatTime(minuteMs(at)),
          ...(filter === '' ? {} : { filter_id: filter }),
        });
        expect(answer.body).toEqual({
          window_size: windowSize,
          from: formatTime(minuteMs(at - windowSize)),
          to: formatTime(minuteMs(at)),
          ...(filter === '' ? {} : { filter_id: filter }),
          state: at <= WATERMARK_MINUTE ? 'provisional' : 'open',
          revision: 0,
          as_of: 0,
          ads: topOf(world, filter, at - windowSize, at, topN),
        });
      }
    },
  );
  await fc.assert(property, { numRuns: 25 });
});

test('where the limit falls among equal ads, the first by their bytes are taken', async () => {
  const own = await openApi();
  // Ads must not come to the limit in their order by chance: without sorts, they come hashed.
  await own.database.pool.query(
    `do $$ begin execute format('alter database %I set enable_sort = off', current_database()); end $$`,
  );
  await seedLog(own.database.pool, minuteMs(WATERMARK_MINUTE));
  const ads = Array.from({ length: 300 }, (_, i) => `ad-${String((i * 7919) % 300)}`);
  const counts = new Array<number>(60).fill(1);
  const cells = ads.map((ad, i) => ({ hour: 1, filter: '', ad, partition: i % 3, counts }));
  await load(own.database.pool, { cells, late: [] });
  const at = formatTime(minuteMs(120));
  const answer = await get(own.api, '/ads/popular_ads', { window_size: 60, top_n: 7, at });
  const first = [...ads].sort().slice(0, 7);
  expect((answer.body as { ads: unknown }).ads).toEqual(
    first.map((ad) => ({ ad_id: ad, count: 60 })),
  );
  await own.close();
});

test('the window ends at the minute of the watermark unless at is given', async () => {
  const answer = await get(open.api, '/ads/popular_ads', { window_size: 5, top_n: 1 });
  expect(answer.body).toMatchObject({
    from: formatTime(minuteMs(WATERMARK_MINUTE - 5)),
    to: formatTime(minuteMs(WATERMARK_MINUTE)),
    state: 'provisional',
  });
});

test('without a watermark there is no default for at, and the answer says so', async () => {
  const fresh = await openApi();
  const answer = await get(fresh.api, '/ads/popular_ads', { window_size: 5, top_n: 1 });
  expect(answer).toMatchObject({ status: 503, body: { code: 'not_ready' } });
  expect(answer.headers['retry-after']).toBe('1');
  await fresh.close();
});
