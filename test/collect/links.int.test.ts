import { describe, expect, it } from 'vitest';
import { LinkKeys } from '../../collect/links.js';
import { bodyOf, metric, SECRET, watchedCollector } from './support/collecting.js';

const keys = new LinkKeys([SECRET]);
const HOSTS = ['shop.example', '*.wild.example'];
const UNCOUNTED = 'truecount_collect_clicks_total{fate="uncounted"}';
const watched = watchedCollector(2, { redirectHosts: HOSTS });

/** The clicks that this test put on the topic. */
async function added(): Promise<Record<string, unknown>[]> {
  const values = await watched.added();
  return values.map((text) => JSON.parse(text) as Record<string, unknown>);
}

function follow(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(watched.collector.url + path, { redirect: 'manual', ...init });
}

function linkTo(
  to: string,
  more: { ad?: string; exp?: string; fields?: [string, string][] } = {},
): string {
  const { ad = 'ad-1', exp, fields = [] } = more;
  return `/c/${encodeURIComponent(ad)}?${keys.sign({ adId: ad, to, exp, fields: new Map(fields) })}`;
}

const SHOP = 'https://shop.example/sale?a=b&c=%2F';

describe('GET /c/{ad_id}', () => {
  it('counts the click with its fields, then leads to the destination', async () => {
    const ad = 'a/b?&ü"';
    const path = linkTo(SHOP, {
      ad,
      fields: [
        ['country', 'US'],
        ['campaign', 'Bläck & Friday=1'],
      ],
    });
    const response = await follow(`${path}&gclid=x%zz&utm_source=y`, {
      headers: { 'user-agent': 'me/1' },
    });
    expect([response.status, response.headers.get('location')]).toEqual([302, SHOP]);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const [click, ...more] = await added();
    expect(more).toEqual([]);
    expect(click).toEqual({
      country: 'US',
      campaign: 'Bläck & Friday=1',
      event_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      ad_id: ad,
      timestamp: expect.any(Number) as number,
      ip: '127.0.0.1',
      user_agent: 'me/1',
    });
  });

  it.each([
    ['UTF-8', Buffer.from('Prohlížeč 😀/1'), 'Prohlížeč 😀/1'],
    ['Latin-1', Buffer.from('Bläck/1', 'latin1'), 'Bläck/1'],
    ['too much', Buffer.from(`${'x'.repeat(1_023)}😀`), 'x'.repeat(1_023)],
  ])('keeps what the browser calls itself in %s', async (_, bytes, agent) => {
    await follow(linkTo(SHOP), { headers: { 'user-agent': bytes.toString('latin1') } });
    expect((await added()).map((click) => click['user_agent'])).toEqual([agent]);
  });

  it('counts every time it is followed, each time as another click', async () => {
    const path = linkTo('https://a.wild.example/');
    await Promise.all(Array.from({ length: 5 }, () => follow(path)));
    expect(new Set((await added()).map((click) => click['event_id'])).size).toBe(5);
  });

  it('keeps the id and time that were signed into it: followed twice, it is one click', async () => {
    const timestamp = String(Date.now());
    const link = { adId: 'ad', to: SHOP, eventId: 'i1', timestamp, fields: new Map() };
    for (let i = 0; i < 2; i++) expect((await follow(`/c/ad?${keys.sign(link)}`)).status).toBe(302);
    const one = { event_id: 'i1', ad_id: 'ad', timestamp: Number(timestamp) };
    expect(await added()).toMatchObject([one, one]);
    const untimed = keys.sign({ adId: 'ad', to: SHOP, eventId: 'i1', fields: new Map() });
    expect((await follow(`/c/ad?${untimed}`)).status).toBe(422);
  });

  it.each([
    ['HEAD', { method: 'HEAD' }],
    ['Purpose: preview', { headers: { purpose: 'preview' } }],
    ['X-Purpose: preview', { headers: { 'x-purpose': 'preview' } }],
  ])('leads there without counting for %s', async (_what, init) => {
    const uncounted = await metric(watched.collector.url, UNCOUNTED);
    const response = await follow(linkTo(SHOP), init);
    expect([response.status, response.headers.get('location')]).toEqual([302, SHOP]);
    expect(await added()).toEqual([]);
    expect(await metric(watched.collector.url, UNCOUNTED)).toBe(uncounted + 1);
  });

  it.each([
    ['sec-purpose', 'prefetch'],
    ['sec-purpose', 'prefetch;prerender'],
    ['sec-purpose', 'prefetch;anonymous-client-ip'],
    ['purpose', 'prefetch'],
    ['x-purpose', 'Prefetch'],
    ['x-moz', 'prefetch'],
  ])(
    'gives a browser with %s: %s nothing to follow, so that it asks at the click',
    async (...one) => {
      const uncounted = await metric(watched.collector.url, UNCOUNTED);
      const path = linkTo(SHOP);
      const ahead = await follow(path, { headers: [one] });
      const { status, headers } = ahead;
      expect([status, (await bodyOf<{ code: string }>(ahead)).code]).toEqual([
        503,
        'prefetch_refused',
      ]);
      const said = ['location', 'refresh', 'retry-after', 'cache-control'];
      expect(said.map((name) => headers.get(name))).toEqual([null, null, null, 'no-store']);
      expect(await added()).toEqual([]);
      expect(await metric(watched.collector.url, UNCOUNTED)).toBe(uncounted + 1);
      expect((await follow(path)).status).toBe(302);
      expect(await added()).toHaveLength(1);
    },
  );

  it('says of a prefetched link that leads nowhere what is wrong with it', async () => {
    const headers = { 'sec-purpose': 'prefetch' };
    expect((await follow(linkTo('https://evil.example/'), { headers })).status).toBe(403);
  });

  const evil = (to: string): string => linkTo(to);
  it.each([
    ['another host, though signed', evil('https://evil.example/'), 403, 'destination_refused'],
    ['no scheme', evil('//shop.example/'), 403, 'destination_refused'],
    [
      'a user in front of the host',
      evil('https://shop.example@evil.example/'),
      403,
      'destination_refused',
    ],
    ['a backslash', evil('https://evil.example\\.shop.example/'), 403, 'destination_refused'],
    ['a script', evil('javascript:alert(1)//shop.example'), 403, 'destination_refused'],
    ['a host in other letters', evil('https://ѕhop.example/'), 403, 'destination_refused'],
    ['no destination', '/c/ad-1', 403, 'destination_refused'],
    ['no signature', `/c/ad-1?to=${encodeURIComponent(SHOP)}`, 403, 'signature_invalid'],
    ['the signature of another ad', linkTo(SHOP).replace('ad-1', 'ad-2'), 403, 'signature_invalid'],
    [
      'a line break in the destination',
      '/c/ad-1?to=https%3A%2F%2Fshop.example%2F%0d%0aSet-Cookie:x',
      400,
      'invalid_argument',
    ],
    ['a line break in a field', `${linkTo(SHOP)}&f.x=%0d%0a`, 400, 'invalid_argument'],
    [
      'a line break in the ad',
      linkTo(SHOP).replace('ad-1', 'ad-1%0d%0aX-Evil:%201'),
      400,
      'invalid_argument',
    ],
    ['two destinations', `${linkTo(SHOP)}&to=https://evil.example`, 400, 'invalid_argument'],
    ['an ad that is no UTF-8', linkTo(SHOP).replace('ad-1', '%ff'), 400, 'invalid_argument'],
    ['a link that has expired', linkTo(SHOP, { exp: '1700000000' }), 410, 'link_expired'],
  ])('refuses %s, and counts nothing', async (_what, path, status, code) => {
    const response = await follow(path);
    expect(response.headers.get('location')).toBeNull();
    expect([response.status, (await bodyOf<{ code: string }>(response)).code]).toEqual([
      status,
      code,
    ]);
    expect(await added()).toEqual([]);
  });
});

describe('GET /p/{ad_id}.gif', () => {
  it('counts a click and answers with a picture that nobody keeps', async () => {
    const response = await follow('/p/a%2Fb.gif?f.country=DE&x=1');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('image/gif');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(
      Buffer.from(await response.arrayBuffer())
        .subarray(0, 6)
        .toString(),
    ).toBe('GIF89a');
    expect(await added()).toMatchObject([{ ad_id: 'a/b', country: 'DE', ip: '127.0.0.1' }]);
  });

  it('takes an id with its time', async () => {
    const time = new Date().toISOString();
    await follow(`/p/ad.gif?event_id=p1&timestamp=${encodeURIComponent(time)}`);
    expect(await added()).toMatchObject([{ event_id: 'p1', ad_id: 'ad', timestamp: time }]);
  });

  it.each([
    ['HEAD', { method: 'HEAD' }],
    ['a page that is rendered ahead', { headers: { 'sec-purpose': 'prefetch;prerender' } }],
  ])('does not count %s', async (_what, init) => {
    expect((await follow('/p/ad.gif', init)).status).toBe(200);
    expect(await added()).toEqual([]);
  });

  it.each([
    ['no ad', '/p/.gif', 422, 'clicks_rejected'],
    ['an ad with a control character', '/p/%01.gif', 422, 'clicks_rejected'],
    ['another ending', '/p/ad.png', 404, 'not_found'],
    ['a field with a name of the click', '/p/ad.gif?f.ad_id=x', 400, 'invalid_argument'],
    ['an id without a time', '/p/ad.gif?event_id=x', 422, 'clicks_rejected'],
  ])('refuses %s', async (_what, path, status, code) => {
    const response = await follow(path);
    expect([response.status, (await bodyOf<{ code: string }>(response)).code]).toEqual([
      status,
      code,
    ]);
    expect(await added()).toEqual([]);
  });
});
