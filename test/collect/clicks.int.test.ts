import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { partitionOf } from '../../ingest/partitioner.js';
import { bodyOf, metric, watchedCollector } from './support/collecting.js';

interface Answer {
  readonly accepted: number;
  readonly rejected: readonly { index: number; code: string; detail: string }[];
  readonly event_ids?: readonly { index: number; event_id: string; timestamp?: string }[];
}

interface Problem extends Partial<Answer> {
  readonly code: string;
  readonly detail: string;
}

const PARTITIONS = 3;
let n = 0;
const watched = watchedCollector(PARTITIONS);

/** What this test put on the topic. */
async function added(): Promise<string[]> {
  return (await watched.added()).sort();
}

function click(more: object = {}): string {
  const id = `e${String(++n)}`;
  return JSON.stringify({ event_id: id, ad_id: `ad${String(n)}`, timestamp: Date.now(), ...more });
}

function post(
  body: string | Buffer,
  headers: Record<string, string> = { 'content-type': 'application/json' },
): Promise<Response> {
  return fetch(`${watched.collector.url}/clicks`, {
    method: 'POST',
    body: new Uint8Array(Buffer.from(body)),
    headers,
  });
}

const NDJSON = { 'content-type': 'application/x-ndjson' };
const TEXT = { 'content-type': 'text/plain;charset=UTF-8' };

describe('POST /clicks', () => {
  it('says how to send lines where they come as one document', async () => {
    const hintOf = async (body: string): Promise<unknown> => {
      const response = await post(body);
      expect(response.status).toBe(422);
      return (await bodyOf<{ hint: string }>(response)).hint;
    };
    expect(await hintOf(`${click()}\n${click()}\n`)).toContain('application/x-ndjson');
    expect(await hintOf(`${click()}\r\n${click()}`)).toContain('application/x-ndjson');
    expect(await hintOf('nonsense')).not.toContain('application/x-ndjson');
  });

  it('takes one object, with its bytes as they are, on the partition of its ad', async () => {
    const body =
      '{ "event_id" : "one", "ad_id":"sp\\u0061ce", "timestamp": ' +
      String(Date.now()) +
      ',"x":1.0}\n';
    const response = await post(body);
    expect(response.status).toBe(202);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await bodyOf<Answer>(response)).toEqual({ accepted: 1, rejected: [] });
    expect(await added()).toEqual([body]);
    expect(watched.witness.records.at(-1)!.partition).toBe(
      partitionOf(Buffer.from('space'), PARTITIONS),
    );
  });

  it('takes an array, lines, and what sendBeacon sends; gzip as well', async () => {
    const clicks = Array.from({ length: 12 }, () => click({ text: '],[{"\\' }));
    const answers = [
      await post(`[${clicks.slice(0, 3).join(' ,\n')} ]`),
      await post(`${clicks.slice(3, 5).join('\r\n')}\n\n`, NDJSON),
      await post(clicks[5]!, TEXT),
      await post(`[${clicks.slice(6, 8).join()}]`, TEXT),
      await post(gzipSync(clicks.slice(8, 10).join('\n')), {
        ...NDJSON,
        'content-encoding': 'gzip',
      }),
      await post(clicks.slice(10).join('\n'), {}),
    ];
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(202));
    const accepted = await Promise.all(answers.map((one) => bodyOf<Answer>(one)));
    expect(accepted.map((one) => one.accepted)).toEqual([3, 2, 1, 2, 2, 2]);
    expect(await added()).toEqual([...clicks].sort());
  });

  it('takes the clicks of a body and says which records are none, and why', async () => {
    const [first, last] = [click(), click()];
    const body = [
      first,
      '[]',
      click({ ad_id: 7 }),
      '{"event_id":"x"',
      click({ ad_id: 'a\nb' }),
      last,
    ];
    const response = await post(`[${body.filter((one) => one !== '{"event_id":"x"').join()}]`);
    expect(response.status).toBe(202);
    const answer = await bodyOf<Answer>(response);
    expect(answer.accepted).toBe(2);
    expect(answer.rejected.map(({ index, code }) => [index, code])).toEqual([
      [1, 'not_object'],
      [2, 'wrong_type'],
      [3, 'bad_id'],
    ]);
    expect(await added()).toEqual([first, last].sort());
    const lines = await post(body.join('\n'), NDJSON);
    expect((await bodyOf<Answer>(lines)).rejected).toHaveLength(4);
  });

  it('answers 422 with the reasons when there is no click at all', async () => {
    const response = await post(click({ timestamp: Date.now() + 3_600_000 }));
    expect(response.status).toBe(422);
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(await bodyOf<Problem>(response)).toMatchObject({
      code: 'clicks_rejected',
      rejected: [{ index: 0, code: 'timestamp_in_future' }],
    });
    expect(await added()).toEqual([]);
  });

  it('gives an id, and with it a time, to a click that has neither, and tells both', async () => {
    const response = await post(
      '[{"ad_id":"a","country":"US"},{"timestamp":1700000000000,"ad_id":"b"}]',
    );
    const { accepted, event_ids: ids = [] } = await bodyOf<Answer>(response);
    expect([accepted, ids.length]).toEqual([2, 2]);
    expect(Math.abs(Date.parse(ids[0]!.timestamp!) - Date.now())).toBeLessThan(60_000);
    expect(ids[1]).not.toHaveProperty('timestamp');
    const stored = (await added()).map((text) => JSON.parse(text) as Record<string, unknown>);
    expect(stored.sort((a, b) => String(a['ad_id']).localeCompare(String(b['ad_id'])))).toEqual([
      { event_id: ids[0]!.event_id, timestamp: ids[0]!.timestamp, ad_id: 'a', country: 'US' },
      { event_id: ids[1]!.event_id, timestamp: 1700000000000, ad_id: 'b' },
    ]);
  });

  it('takes the id of one click from Idempotency-Key, quoted or not, if it has none itself', async () => {
    const json = { 'content-type': 'application/json' };
    const timed = `{"ad_id":"a","timestamp":${String(Date.now())}}`;
    await post(timed, { ...json, 'idempotency-key': '"quoted-1"' });
    await post(timed, { ...json, 'idempotency-key': 'bare-1' });
    await post(click({ event_id: 'own-1' }), { ...json, 'idempotency-key': 'ignored' });
    const ids = (await added()).map((text) => (JSON.parse(text) as { event_id: string }).event_id);
    expect(ids.sort()).toEqual(['bare-1', 'own-1', 'quoted-1']);
  });

  it.each([
    ['an id without a time', '{"event_id":"x","ad_id":"a"}', {}],
    ['a key without a time', '{"ad_id":"a"}', { 'idempotency-key': 'k' }],
    ['an id that is null', '{"event_id":null,"ad_id":"a"}', {}],
  ])('refuses %s: a retry could count twice', async (_what, body, headers) => {
    const response = await post(body, { 'content-type': 'application/json', ...headers });
    expect(response.status).toBe(422);
    expect((await bodyOf<Problem>(response)).rejected?.[0]?.code).toBe('missing_field');
    expect(await added()).toEqual([]);
  });

  it.each([
    [
      'a key for two clicks',
      '[{"ad_id":"a"},{"ad_id":"a"}]',
      { 'idempotency-key': 'k' },
      400,
      'invalid_argument',
    ],
    ['a key with a space', '{"ad_id":"a"}', { 'idempotency-key': 'a b' }, 400, 'invalid_argument'],
    ['an array that does not end', '[{"ad_id":"a"}', {}, 400, 'invalid_argument'],
    ['more after the array', '[] []', {}, 400, 'invalid_argument'],
    ['nothing', '', {}, 400, 'invalid_argument'],
    ['an empty array', ' [ ] ', {}, 400, 'invalid_argument'],
    [
      'a form',
      'a=b',
      { 'content-type': 'application/x-www-form-urlencoded' },
      415,
      'unsupported_content',
    ],
    ['a type that is none', '{}', { 'content-type': ';;' }, 415, 'unsupported_content'],
    [
      'Latin-1',
      '{}',
      { 'content-type': 'text/plain; charset=iso-8859-1' },
      415,
      'unsupported_content',
    ],
    ['brotli', '{}', { 'content-encoding': 'br' }, 415, 'unsupported_content'],
    ['gzip that is none', '{}', { 'content-encoding': 'gzip' }, 400, 'invalid_argument'],
    ['a body over the limit', `[${' '.repeat(1024 * 1024)}]`, {}, 413, 'body_too_large'],
    ['more clicks than a request may have', `[${'1,'.repeat(10_000)}1]`, {}, 413, 'body_too_large'],
  ])('refuses %s', async (_what, body, headers, status, code) => {
    const response = await post(body, { 'content-type': 'application/json', ...headers });
    expect([response.status, (await bodyOf<Problem>(response)).code]).toEqual([status, code]);
    expect(await added()).toEqual([]);
  });

  it('does not unpack a gzip bomb', async () => {
    const bomb = gzipSync(Buffer.alloc(128 * 1024 * 1024)); // 128 KB that are 128 MB
    expect(bomb.length).toBeLessThan(1024 * 1024);
    const rssBefore = process.memoryUsage().rss;
    const response = await post(bomb, { ...NDJSON, 'content-encoding': 'gzip' });
    expect([response.status, (await bodyOf<Problem>(response)).code]).toEqual([
      413,
      'body_too_large',
    ]);
    expect(process.memoryUsage().rss - rssBefore).toBeLessThan(64 * 1024 * 1024);
    expect(await metric(watched.collector.url, 'truecount_collect_held_bytes')).toBe(0);
  });

  it('keeps records up to the limit of a click, and says so beyond', async () => {
    const body = [click({ x: 'y'.repeat(200_000) }), click({ x: 'y'.repeat(300_000) })].join('\n');
    const answer = await bodyOf<Answer>(await post(body, NDJSON));
    expect(answer).toMatchObject({
      accepted: 1,
      rejected: [{ index: 1, code: 'record_too_large' }],
    });
  });
});

describe('the rest of the service', () => {
  it('says that it lives and is ready, and what it can', async () => {
    const get = (path: string) => fetch(watched.collector.url + path);
    expect(await bodyOf(await get('/health/live'))).toEqual({ status: 'live' });
    expect(await bodyOf(await get('/health/ready'))).toEqual({ status: 'ready' });
    const document = await bodyOf<{ paths: object }>(await get('/openapi.json'));
    expect(Object.keys(document.paths).sort()).toEqual([
      '/c/{ad_id}',
      '/clicks',
      '/health/live',
      '/health/ready',
      '/p/{file}',
    ]);
    const nowhere = await get('/nowhere');
    expect([nowhere.status, (await bodyOf<Problem>(nowhere)).code]).toEqual([404, 'not_found']);
  });

  it('counts clicks by what became of them', async () => {
    const accepted = 'truecount_collect_clicks_total{fate="accepted"}';
    const rejected = 'truecount_collect_clicks_total{fate="rejected"}';
    const [a, r] = [
      await metric(watched.collector.url, accepted),
      await metric(watched.collector.url, rejected),
    ];
    await post(`[${click()},${click()},1]`);
    expect(await metric(watched.collector.url, accepted)).toBe(a + 2);
    expect(await metric(watched.collector.url, rejected)).toBe(r + 1);
    expect(
      await metric(watched.collector.url, 'truecount_collect_ack_seconds_count'),
    ).toBeGreaterThan(0);
  });
});
