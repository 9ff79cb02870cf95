import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { get, openApi } from './support/open-api.js';
import { seedLog } from './support/world.js';

const COUNT = '/ads/a/aggregated_count';
const TOP = '/ads/popular_ads';
const RANGE = { from: '2026-11-21T10', to: '2026-11-21T11' };
const WINDOW = { window_size: 5, top_n: 3, at: '2026-11-21T10' };

type Query = Record<string, string | number>;
/** Path, query, code, and a word that the detail or the hint must contain. */
const REFUSED: readonly (readonly [string, Query, string, string])[] = [
  [COUNT, {}, 'invalid_argument', 'from'],
  [COUNT, { from: RANGE.from }, 'invalid_argument', 'to is missing'],
  [COUNT, { ...RANGE, from: '' }, 'invalid_argument', 'from'],
  [COUNT, { ...RANGE, from: 'yesterday' }, 'invalid_argument', '2026-11-21T10'],
  [COUNT, { ...RANGE, from: '2026-11-21' }, 'invalid_argument', 'from'],
  [COUNT, { ...RANGE, from: '2026-11-21T10:00:00' }, 'invalid_argument', 'from'],
  [COUNT, { ...RANGE, from: '2026-02-30T10' }, 'invalid_argument', 'from'],
  [COUNT, { ...RANGE, from: '2026-11-21T24' }, 'invalid_argument', 'from'],
  [COUNT, { ...RANGE, from: '1795262400000' }, 'invalid_argument', 'from'],
  [COUNT, { ...RANGE, from: '2026-11-21T10:00:00 01:00' }, 'invalid_argument', '%2B'],
  [COUNT, { ...RANGE, from: '2026-11-21T10:00:30Z' }, 'invalid_range', '10:01:00Z'],
  [COUNT, { ...RANGE, to: '2026-11-21T10:59:59.999Z' }, 'invalid_range', '11:00:00Z'],
  [COUNT, { from: RANGE.to, to: RANGE.from }, 'invalid_range', 'not before'],
  [COUNT, { from: RANGE.from, to: RANGE.from }, 'invalid_range', 'not before'],
  [COUNT, { from: '2025-11-20T10', to: '2026-11-21T11' }, 'invalid_range', '366 days'],
  ['/ads/a/timeseries', { from: '2026-10-21T10', to: '2026-11-21T11' }, 'invalid_range', '31 days'],
  [COUNT, { ...RANGE, filter_id: '' }, 'invalid_argument', 'colon'],
  [COUNT, { ...RANGE, filter_id: 'US' }, 'invalid_argument', 'country:US'],
  [COUNT, { ...RANGE, filter_id: 'country:' }, 'invalid_argument', 'country:US'],
  [COUNT, { ...RANGE, filter_id: ':US' }, 'invalid_argument', 'country:US'],
  [COUNT, { ...RANGE, filter_id: 'country:\u0000' }, 'invalid_argument', 'control'],
  [COUNT, { ...RANGE, filter_id: `country:${'x'.repeat(257)}` }, 'invalid_argument', '256'],
  [COUNT, { ...RANGE, as_of: -1 }, 'invalid_argument', 'as_of'],
  [COUNT, { ...RANGE, as_of: '1.5' }, 'invalid_argument', 'as_of'],
  [COUNT, { ...RANGE, as_of: 'latest' }, 'invalid_argument', 'as_of'],
  [COUNT, { ...RANGE, filter: 'country:US' }, 'invalid_argument', 'filter_id'],
  [COUNT, { ...RANGE, __proto: '1' }, 'invalid_argument', 'unknown'],
  ['/ads/%00/aggregated_count', RANGE, 'invalid_argument', 'control'],
  ['/ads/%0A/aggregated_count', RANGE, 'invalid_argument', 'control'],
  [`/ads/${'x'.repeat(1025)}/aggregated_count`, RANGE, 'invalid_argument', '1,024'],
  [`/ads/${'%C3%A4'.repeat(513)}/aggregated_count`, RANGE, 'invalid_argument', '1,024'],
  ['/ads/%FF/aggregated_count', RANGE, 'invalid_argument', 'url'],
  ['/ads/%/aggregated_count', RANGE, 'invalid_argument', 'url'],
  ['/ads//aggregated_count', RANGE, 'invalid_argument', '1,024'],
  [TOP, {}, 'invalid_argument', 'window_size'],
  [TOP, { window_size: 5 }, 'invalid_argument', 'top_n'],
  [TOP, { ...WINDOW, window_size: 0 }, 'invalid_argument', 'window_size'],
  [TOP, { ...WINDOW, window_size: -5 }, 'invalid_argument', 'window_size'],
  [TOP, { ...WINDOW, window_size: 527_041 }, 'invalid_argument', 'window_size'],
  [TOP, { ...WINDOW, window_size: '5m' }, 'invalid_argument', 'window_size'],
  [TOP, { ...WINDOW, top_n: 0 }, 'invalid_argument', 'top_n'],
  [TOP, { ...WINDOW, top_n: 1001 }, 'invalid_argument', 'top_n'],
  [TOP, { ...WINDOW, at: 'now' }, 'invalid_argument', 'at'],
  [TOP, { ...WINDOW, at: '2026-11-21T10:00:01Z' }, 'invalid_range', '10:00:00Z'],
  [TOP, { ...WINDOW, at: '0000-01-01T00' }, 'invalid_argument', '0002-01-02T00:00:00Z'],
  [TOP, { ...WINDOW, at: '9999-12-31T23' }, 'invalid_argument', '9998-12-31T00:00:00Z'],
  [TOP, { ...WINDOW, filter_id: 'browser:firefox' }, 'invalid_argument', 'country, device'],
  ['/hours', { from: RANGE.from }, 'invalid_argument', 'together'],
  ['/hours', { ...RANGE, from: '2026-11-21T10:30' }, 'invalid_range', 'hour'],
];

let open: Awaited<ReturnType<typeof openApi>>;
beforeAll(async () => {
  open = await openApi();
  await seedLog(open.database.pool, Date.UTC(2026, 10, 21, 12));
});
afterAll(() => open.close());

describe('a question that is wrong gets a problem document that says what to do', () => {
  test.each(REFUSED)('%s %o is %s: …%s…', async (path, query, code, word) => {
    const answer = await get(open.api, path, query);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.body).toMatchObject({
      type: `urn:truecount:problem:${code}`,
      status: 400,
      code,
      instance: expect.stringMatching(/^urn:truecount:request:/) as string,
    });
    const { detail, hint } = answer.body as { detail: string; hint?: string };
    expect(`${detail}; ${hint ?? ''}`).toContain(word);
    expect(answer.status).toBe(400);
  });
});

test('a parameter given twice is refused instead of one of them being ignored', async () => {
  const url = `${COUNT}?from=2026-11-21T10&from=2026-11-21T09&to=2026-11-21T11`;
  expect((await get(open.api, url)).status).toBe(400);
});

test.each(['/', '/ads', '/ads/a', '/nothing', '/ads/a/b/aggregated_count'])(
  'there is no route %s, and the problem document says where the list is',
  async (path) => {
    const answer = await get(open.api, path);
    expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect((answer.body as { hint: string }).hint).toContain('/openapi.json');
  },
);

test('a request that would change something finds nothing', async () => {
  const answer = await open.api.inject({ method: 'POST', url: COUNT, payload: { a: 1 } });
  expect(answer.statusCode).toBe(404);
  expect(answer.headers['content-type']).toBe('application/problem+json');
});
