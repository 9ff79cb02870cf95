import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatTime } from '../../core/range.js';
import { get, openApi } from '../api/support/open-api.js';
import {
  HOURS,
  countAt,
  lateAt,
  loadServed,
  servedAt,
  servedWorlds,
  stateAt,
  takeStep,
  type ServedHour,
  type ServedWorld,
} from '../api/support/served.js';
import { WORLD_ADS, WORLD_FILTERS, WORLD_HOURS, minuteMs, seedLog } from '../api/support/world.js';

// In the middle of the fourth hour: the last two hours may be open, and final all the same.
const WATERMARK_MINUTE = 210;
const MINUTES = WORLD_HOURS * 60;

let open: Awaited<ReturnType<typeof openApi>>;
let publisher: pg.Client;
beforeAll(async () => {
  open = await openApi();
  await seedLog(open.database.pool, minuteMs(WATERMARK_MINUTE) + 30_000 + 20_000);
  publisher = new pg.Client({ connectionString: open.database.url });
  await publisher.connect();
});
afterAll(async () => {
  await publisher.end();
  await open.close();
});

interface Question {
  readonly ad: string;
  readonly filter: string;
  readonly from: number;
  readonly length: number;
  readonly topN: number;
}

const questions: fc.Arbitrary<Question> = fc.record({
  ad: fc.constantFrom(...WORLD_ADS),
  filter: fc.constantFrom(...WORLD_FILTERS),
  from: fc.integer({ min: -70, max: MINUTES - 1 }),
  length: fc.oneof(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 1, max: MINUTES })),
  topN: fc.integer({ min: 1, max: 5 }),
});

type Query = Record<string, string | number>;

/** The same question for each endpoint that reads counts, as path and query. */
function pathsOf({ ad, filter, from, length, topN }: Question): [string, Query][] {
  const id = encodeURIComponent(ad);
  const filtered = filter === '' ? {} : { filter_id: filter };
  const to = formatTime(minuteMs(from + length));
  const range = { from: formatTime(minuteMs(from)), to, ...filtered };
  return [
    [`/ads/${id}/aggregated_count`, range],
    [`/ads/${id}/timeseries`, range],
    [`/ads/${id}/timeseries`, { ...range, granularity: 'hour' }],
    [`/ads/${id}/timeseries`, { ...range, granularity: 'day' }],
    ['/ads/popular_ads', { window_size: length, top_n: topN, at: to, ...filtered }],
  ];
}

/** What the endpoints of `pathsOf` must answer, by brute force. */
function answersOf(
  world: ServedWorld,
  publication: number,
  { ad, filter, from, length, topN }: Question,
): unknown[] {
  const served = servedAt(world, publication);
  const to = from + length;
  const part = (a: number, b: number) => {
    const { state, revision } = stateAt(served, a, b, WATERMARK_MINUTE);
    return {
      from: formatTime(minuteMs(a)),
      to: formatTime(minuteMs(b)),
      count: countAt(world, served, ad, filter, a, b),
      state,
      revision,
      late_pending: lateAt(world, served, ad, filter, a, b),
    };
  };
  const { finalUntil } = stateAt(served, from, to, WATERMARK_MINUTE);
  const filtered = filter === '' ? {} : { filter_id: filter };
  const whole = {
    ad_id: ad,
    ...part(from, to),
    ...filtered,
    final_until: finalUntil === null ? null : formatTime(minuteMs(finalUntil)),
    as_of: publication,
  };
  const series = (granularity: string, unit: number) => ({
    ...whole,
    granularity,
    buckets: cutPoints(from, to, unit).map(([a, b]) => part(a, b)),
  });
  const { from: start, to: end, state, revision } = whole;
  return [
    whole,
    series('minute', 1),
    series('hour', 60),
    series('day', 24 * 60),
    {
      window_size: length,
      from: start,
      to: end,
      ...filtered,
      state,
      revision,
      as_of: publication,
      ads: topAt(world, served, filter, from, to).slice(0, topN),
    },
  ];
}

/** Parts of [from, to) at the borders of a unit; the world begins at 22:00. */
function cutPoints(from: number, to: number, unit: number): [number, number][] {
  const offset = 22 * 60;
  const parts: [number, number][] = [];
  for (let a = from; a < to;) {
    const b = Math.min(to, Math.floor((a + offset) / unit) * unit + unit - offset);
    parts.push([a, b]);
    a = b;
  }
  return parts;
}

function topAt(
  world: ServedWorld,
  served: ReadonlyMap<number, ServedHour>,
  filter: string,
  from: number,
  to: number,
) {
  return WORLD_ADS.map((ad) => ({
    ad_id: ad,
    count: countAt(world, served, ad, filter, from, to),
  }))
    .filter(({ count }) => count > 0)
    .sort(
      (a, b) => b.count - a.count || Buffer.compare(Buffer.from(a.ad_id), Buffer.from(b.ad_id)),
    );
}

/** Bodies as text: the same bytes are wanted, not only the same values. */
async function ask(paths: readonly [string, Query][], more: Query = {}): Promise<string[]> {
  const bodies: string[] = [];
  for (const [path, query] of paths) {
    const answer = await get(open.api, path, { ...query, ...more });
    expect(answer.status).toBe(200);
    bodies.push(JSON.stringify(answer.body));
  }
  return bodies;
}

test('live, final and mixed ranges equal brute force, and as_of gives them for ever', async () => {
  const property = fc.asyncProperty(
    servedWorlds,
    fc.array(questions, { minLength: 4, maxLength: 4 }),
    async (world, asked) => {
      await loadServed(open.database.pool, world);
      const paths = asked.flatMap(pathsOf);
      const history: string[][] = [];
      for (let publication = 0; publication <= world.steps.length; publication++) {
        if (publication > 0) await takeStep(publisher, world, publication);
        const bodies = await ask(paths);
        const wanted = asked.flatMap((question) => answersOf(world, publication, question));
        expect(bodies.map((body) => JSON.parse(body) as unknown)).toEqual(wanted);
        history.push(bodies);
      }
      for (const [publication, bodies] of history.entries()) {
        expect(await ask(paths, { as_of: publication })).toEqual(bodies);
      }
    },
  );
  await fc.assert(property, { numRuns: 12 });
});

test('hours tell what serves them at each publication, holds and waiting late clicks', async () => {
  const property = fc.asyncProperty(servedWorlds, async (world) => {
    await loadServed(open.database.pool, world);
    for (let publication = 1; publication <= world.steps.length; publication++) {
      await takeStep(publisher, world, publication);
    }
    for (let publication = 0; publication <= world.steps.length; publication++) {
      const { body } = await get(open.api, '/hours', { as_of: publication });
      const served = servedAt(world, publication);
      expect(body).toMatchObject({
        as_of: publication,
        hours: HOURS.map((hour) => {
          const serves = served.get(hour);
          const late = WORLD_ADS.map((ad) =>
            lateAt(world, served, ad, '', hour * 60, hour * 60 + 60),
          );
          return {
            hour: formatTime(minuteMs(hour * 60)),
            state: stateAt(served, hour * 60, hour * 60 + 60, WATERMARK_MINUTE).state,
            revision: serves?.revision ?? 0,
            served:
              serves === undefined
                ? null
                : {
                    generation: serves.id,
                    checksum: `inputs ${String(serves.id)}`,
                    cut: serves.generation.cut.flatMap((next, partition) =>
                      next === 0 ? [] : [{ topic: 'clicks', partition, next_offset: next }],
                    ),
                  },
            held: serves?.held === true ? (expect.stringMatching(/^step /) as string) : null,
            late_waiting: late.reduce((a, b) => a + b),
          };
        }),
      });
    }
  });
  await fc.assert(property, { numRuns: 8 });
});

test('the views equal the API after each publication', async () => {
  const property = fc.asyncProperty(servedWorlds, async (world) => {
    await loadServed(open.database.pool, world);
    for (let publication = 0; publication <= world.steps.length; publication++) {
      if (publication > 0) await takeStep(publisher, world, publication);
      for (const filter of WORLD_FILTERS) {
        expect(await viewRows(filter)).toEqual(await apiRows(filter));
      }
    }
  });
  await fc.assert(property, { numRuns: 4 });
});

test('most_clicked_ads equals popular_ads of its windows', async () => {
  const [world] = fc.sample(servedWorlds, { numRuns: 1, seed: 7 });
  await loadServed(open.database.pool, world!);
  for (let n = 1; n <= world!.steps.length; n++) await takeStep(publisher, world!, n);
  const { rows } = await open.database.pool.query<{
    window_size: number;
    update_time_minute: Date;
    most_clicked_ads: unknown[];
    state: string;
    revision: number;
  }>('select * from most_clicked_ads');
  expect(rows).toHaveLength(4 * WATERMARK_MINUTE); // of the minutes up to the watermark
  for (const row of rows.filter((_, i) => i % 13 === 0)) {
    const at = formatTime(row.update_time_minute.getTime());
    const query = { window_size: row.window_size, top_n: 100, at };
    expect((await get(open.api, '/ads/popular_ads', query)).body).toMatchObject({
      state: row.state,
      revision: row.revision,
      ads: row.most_clicked_ads,
    });
  }
});

async function viewRows(filter: string): Promise<string[]> {
  const { rows } = await open.database.pool.query<{
    ad_id: string;
    click_minute: Date;
    count: string;
    state: string;
    revision: number;
  }>(
    filter === ''
      ? 'select * from ad_click_counts'
      : 'select * from ad_click_counts_filtered where filter_id = $1',
    filter === '' ? [] : [filter],
  );
  return rows
    .map((r) =>
      [r.ad_id, formatTime(r.click_minute.getTime()), r.count, r.state, r.revision].join('|'),
    )
    .sort();
}

async function apiRows(filter: string): Promise<string[]> {
  const rows: string[] = [];
  for (const ad of WORLD_ADS) {
    const { body } = await get(open.api, `/ads/${encodeURIComponent(ad)}/timeseries`, {
      from: formatTime(minuteMs(0)),
      to: formatTime(minuteMs(MINUTES)),
      ...(filter === '' ? {} : { filter_id: filter }),
    });
    const { buckets } = body as {
      buckets: { from: string; count: number; state: string; revision: number }[];
    };
    for (const { from, count, state, revision } of buckets) {
      if (count > 0) rows.push([ad, from, count, state, revision].join('|'));
    }
  }
  return rows.sort();
}
