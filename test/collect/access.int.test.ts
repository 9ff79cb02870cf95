import { describe, expect, it } from 'vitest';
import { kafkaBrokers } from '../support/stack.js';
import { bodyOf, collecting, watchedCollector } from './support/collecting.js';

const watched = watchedCollector(1);

describe('a client that asks too often', () => {
  it('is answered 429 with a time to wait, and others are not', async () => {
    const limited = await collecting(kafkaBrokers(), watched.topic, {
      rateLimitPerSecond: 5,
      proxyHops: 1,
    });
    try {
      const from = (address: string): Promise<Response> =>
        fetch(`${limited.url}/p/ad.gif`, { headers: { 'x-forwarded-for': `6.6.6.6, ${address}` } });
      const startMs = performance.now();
      const answers = await Promise.all(Array.from({ length: 50 }, () => from('10.0.0.1')));
      const earned = (5 * (performance.now() - startMs)) / 1_000;
      const refused = answers.filter(({ status }) => status === 429);
      expect(refused.length).toBeGreaterThanOrEqual(50 - 5 - Math.ceil(earned));
      expect(refused[0]!.headers.get('retry-after')).toBe('1');
      expect(refused[0]!.headers.get('cache-control')).toBe('no-store');
      expect((await bodyOf<{ code: string }>(refused[0]!)).code).toBe('rate_limited');
      expect((await from('10.0.0.2')).status).toBe(200);
      expect((await fetch(`${limited.url}/health/live`)).status).toBe(200);
      const counted = answers.length - refused.length + 1;
      const clicks = (await watched.added()).map((text) => (JSON.parse(text) as { ip: string }).ip);
      expect(clicks).toHaveLength(counted);
      expect(new Set(clicks)).toEqual(new Set(['10.0.0.1', '10.0.0.2']));
    } finally {
      await limited.close();
    }
  });
});

describe('CORS', () => {
  it('lets listed origins read, and no other', async () => {
    const open = await collecting(kafkaBrokers(), watched.topic, {
      corsOrigins: ['https://shop.example'],
    });
    try {
      const preflight = (origin: string): Promise<Response> =>
        fetch(`${open.url}/clicks`, {
          method: 'OPTIONS',
          headers: { origin, 'access-control-request-method': 'POST' },
        });
      const good = await preflight('https://shop.example');
      expect([good.status, good.headers.get('access-control-allow-origin')]).toEqual([
        204,
        'https://shop.example',
      ]);
      expect(good.headers.get('access-control-allow-headers')).toContain('idempotency-key');
      expect(good.headers.get('access-control-allow-credentials')).toBeNull();
      const bad = await preflight('https://evil.example');
      expect([bad.headers.get('access-control-allow-origin'), bad.headers.get('vary')]).toEqual([
        null,
        'origin',
      ]);
      const none = await fetch(`${watched.collector.url}/clicks`, {
        method: 'OPTIONS',
        headers: { origin: 'https://shop.example' },
      });
      expect([none.status, none.headers.get('access-control-allow-origin')]).toEqual([404, null]);
    } finally {
      await open.close();
    }
  });

  it.each([
    ['page.example/', 'https://page.example'],
    ['https://page.example/', 'https://page.example'],
    ['https://page.example:443', 'https://page.example'],
    ['HTTPS://Page.example', 'https://page.example'],
    ['localhost:3000', 'https://localhost:3000'],
    ['http://localhost:3000/shop', 'http://localhost:3000'],
  ])('refuses %s, which no browser sends, and says what to write', async (origin, meant) => {
    const starting = collecting(kafkaBrokers(), watched.topic, { corsOrigins: [origin] });
    await expect(starting).rejects.toMatchObject({
      code: 'invalid_config',
      message: `collect.corsOrigins: ${origin} is no origin`,
      hint: expect.stringContaining(`write ${meant}, `) as string,
    });
  });

  it.each(['https://a.example', 'http://localhost:3000', 'capacitor://localhost', 'null'])(
    'takes %s',
    async (origin) => {
      const open = await collecting(kafkaBrokers(), watched.topic, { corsOrigins: [origin] });
      await open.close();
    },
  );
});
