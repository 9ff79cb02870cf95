import { tableFromIPC } from 'apache-arrow';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ARROW_STREAM } from '../../api/answers/series-arrow.js';
import { formatTime } from '../../core/range.js';
import { get, openApi } from './support/open-api.js';
import { loadServed, servedWorlds, takeStep } from './support/served.js';
import { WORLD_ADS, WORLD_HOURS, minuteMs, seedLog } from './support/world.js';

const MINUTES = WORLD_HOURS * 60;

let open: Awaited<ReturnType<typeof openApi>>;
beforeAll(async () => {
  open = await openApi();
  await seedLog(open.database.pool, minuteMs(210));
});
afterAll(() => open.close());

interface Document {
  readonly buckets: readonly { from: string; count: number; state: string }[];
  readonly [name: string]: unknown;
}

interface ArrowBucket {
  readonly from: number;
  readonly to: number;
  readonly count: bigint;
  readonly state: string;
  readonly revision: number;
  readonly late_pending: bigint;
}

/** Reads an Arrow stream back into the form of the JSON document. */
function fromArrow(bytes: Uint8Array): unknown {
  const table = tableFromIPC(bytes);
  const { metadata } = table.schema;
  const number = (name: string) => Number(metadata.get(name));
  return {
    ad_id: metadata.get('ad_id'),
    from: metadata.get('from'),
    to: metadata.get('to'),
    ...(metadata.has('filter_id') ? { filter_id: metadata.get('filter_id') } : {}),
    granularity: metadata.get('granularity'),
    count: number('count'),
    state: metadata.get('state'),
    revision: number('revision'),
    final_until: metadata.get('final_until') ?? null,
    late_pending: number('late_pending'),
    as_of: number('as_of'),
    buckets: Array.from(table as Iterable<{ toJSON(): ArrowBucket }>, (row) => {
      const { from, to, count, state, revision, late_pending: late } = row.toJSON();
      return {
        from: formatTime(Number(from)),
        to: formatTime(Number(to)),
        count: Number(count),
        state,
        revision,
        late_pending: Number(late),
      };
    }),
  };
}

async function askArrow(path: string, query: Record<string, string>, accept = ARROW_STREAM) {
  return open.api.inject({ method: 'GET', url: path, query, headers: { accept } });
}

test('the Arrow stream says what the JSON says, in typed columns', async () => {
  const publisher = new pg.Client({ connectionString: open.database.url });
  await publisher.connect();
  const property = fc.asyncProperty(
    servedWorlds,
    fc.constantFrom('minute', 'hour', 'day'),
    fc.constantFrom(...WORLD_ADS),
    async (world, granularity, ad) => {
      await loadServed(open.database.pool, world);
      for (let n = 1; n <= world.steps.length; n++) await takeStep(publisher, world, n);
      const path = `/ads/${encodeURIComponent(ad)}/timeseries`;
      const query = {
        from: formatTime(minuteMs(-30)),
        to: formatTime(minuteMs(MINUTES)),
        granularity,
        filter_id: 'country:US',
      };
      const json = await get(open.api, path, query);
      const arrow = await askArrow(path, query);
      expect(arrow.headers['content-type']).toBe(ARROW_STREAM);
      expect(fromArrow(arrow.rawPayload)).toEqual(json.body);
      const types = tableFromIPC(arrow.rawPayload).schema.fields.map(
        ({ name, type }) => `${name} ${String(type)}`,
      );
      expect(types).toEqual([
        'from Timestamp<MILLISECOND, UTC>',
        'to Timestamp<MILLISECOND, UTC>',
        'count Int64',
        'state Dictionary<Int32, Utf8>',
        'revision Int32',
        'late_pending Int64',
      ]);
    },
  );
  await fc.assert(property, { numRuns: 8 });
  await publisher.end();
});

test('the longest range by the minute is answered, and every minute is there', async () => {
  const query = { from: '2026-10-21T00', to: '2026-11-21T00', as_of: '0' };
  const json = (await get(open.api, '/ads/nobody/timeseries', query)).body as Document;
  expect(json.buckets).toHaveLength(31 * 24 * 60);
  expect(json.buckets.every(({ count }) => count === 0)).toBe(true);
  const states = new Set(json.buckets.map(({ state }) => state));
  expect([...states]).toEqual(['provisional']);
  const arrow = await askArrow('/ads/nobody/timeseries', query);
  expect(tableFromIPC(arrow.rawPayload).numRows).toBe(31 * 24 * 60);
});

test.each([
  ['*/*', 'application/json; charset=utf-8'],
  ['application/json', 'application/json; charset=utf-8'],
  [`${ARROW_STREAM};q=0.5, application/json`, 'application/json; charset=utf-8'],
  [`${ARROW_STREAM};q=0`, 'application/json; charset=utf-8'],
  [`application/json;q=0.9, ${ARROW_STREAM}`, ARROW_STREAM],
  [`${ARROW_STREAM}, */*;q=0.1`, ARROW_STREAM],
])('Accept: %s gives %s', async (accept, type) => {
  const query = { from: '2026-11-20T22', to: '2026-11-20T23' };
  const answer = await askArrow('/ads/a/timeseries', query, accept);
  expect(answer.headers['content-type']).toBe(type);
  expect(answer.headers['vary']).toBe('accept');
});

test('an error is a problem document, whatever was to be accepted', async () => {
  const answer = await askArrow('/ads/a/timeseries', {
    from: '2026-11-20T22',
    to: '2026-11-20T22',
  });
  expect(answer.statusCode).toBe(400);
  expect(answer.headers['content-type']).toBe('application/problem+json');
});

test.each([
  [{ granularity: 'week' }, 'granularity'],
  [{ granularity: '' }, 'granularity'],
  [{ as_of: '7000' }, 'not known'],
])('%o is refused', async (more, word) => {
  const query = { from: '2026-11-20T22', to: '2026-11-20T23', ...more };
  const { body } = await get(open.api, '/ads/a/timeseries', query);
  expect((body as { detail: string }).detail).toContain(word);
});
