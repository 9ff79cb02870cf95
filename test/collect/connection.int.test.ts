import { beforeEach, describe, expect, it } from 'vitest';
import { LinkKeys } from '../../collect/links.js';
import { SECRET, watchedCollector } from './support/collecting.js';
import { HEAD, raw, verdictOf } from './support/raw-http.js';

/** Clicks wait so long for others: meanwhile their request is unanswered. */
const LINGER_MS = 200;
const watched = watchedCollector(1, { lingerMs: LINGER_MS, redirectHosts: ['shop.example'] });

let next = 0;
let id = '';
beforeEach(() => {
  id = `click-${String(++next)}`;
});

function click(name: string, ad = 'a'): string {
  return `{"event_id":"${name}","ad_id":"${ad}","timestamp":${String(Date.now())}}`;
}

/** A request as it should be. */
function request(body: string): string {
  return `${HEAD}content-length: ${String(Buffer.byteLength(body))}\r\n\r\n${body}`;
}

interface Answer {
  readonly status: number;
  readonly connection: string | undefined;
  readonly body: string;
}

/** The answers of a connection, one behind the other. */
function answersOf(text: string): Answer[] {
  const answers = text.split(/(?=HTTP\/1\.1 \d)/).filter((one) => one !== '');
  return answers.map((one) => {
    const [head = '', body = ''] = one.split('\r\n\r\n');
    const [, connection] = /^connection: (.*)$/im.exec(head) ?? [];
    return { status: Number(head.slice(9, 12)), connection: connection?.trim(), body };
  });
}

const ACCEPTED = '{"accepted":1,"rejected":[]}';

async function addedIds(): Promise<string[]> {
  const values = await watched.added();
  return values.map((text) => (JSON.parse(text) as { event_id: string }).event_id);
}

describe('a request that is whole, and more bytes behind it', () => {
  it.each([
    ['words', 'GARBAGE\r\n\r\n'],
    ['the rest of a longer body', '}'],
    ['headers that are too long', `GET / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`],
    ['a request with a broken chunk', `${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n`],
  ])('is answered as what it is before %s end the connection', async (_what, more) => {
    const text = await raw(watched.collector.url, request(click(id)) + more);
    expect(answersOf(text)).toEqual([{ status: 202, connection: 'close', body: ACCEPTED }]);
    expect(await addedIds()).toEqual([id]);
  });

  it('is answered, too, where another one waits behind it', async () => {
    const both = [`${id}-1`, `${id}-2`];
    const requests = both.map((name) => request(click(name))).join('');
    const text = await raw(watched.collector.url, `${requests}GARBAGE\r\n\r\n`);
    const answers = answersOf(text);
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    expect(answers.map(({ connection }) => connection)).toEqual(['keep-alive', 'close']);
    expect(await addedIds()).toEqual(both);
  });

  it('is told what was taken where its length was counted in characters', async () => {
    const lines = [1, 2, 3].map((n) => click(`${id}-${String(n)}`, 'ad-ü-€'));
    const body = lines.join('\n');
    const head = HEAD.replace('json', 'x-ndjson');
    const bytes = `${head}content-length: ${String(body.length)}\r\n\r\n${body}`;
    const [answer, ...more] = answersOf(await raw(watched.collector.url, bytes));
    expect(more).toEqual([]);
    expect(answer?.status).toBe(202);
    expect(JSON.parse(answer!.body)).toMatchObject({
      accepted: 2,
      rejected: [{ index: 2, code: 'not_json' }],
    });
    expect(await addedIds()).toEqual([`${id}-1`, `${id}-2`]);
  });

  it('is answered where the client sends what is no request while it waits', async () => {
    const body = click(id);
    // The first chunk of bytes is no request, and neither is any of those that follow it.
    const text = await raw(watched.collector.url, request(body) + 'x'.repeat(200_000));
    expect(answersOf(text).map(({ status }) => status)).toEqual([202]);
    expect(await addedIds()).toEqual([id]);
  });
});

describe('a request that is not whole', () => {
  it('is refused at once, and nothing of it is taken', async () => {
    const chunk = `${Buffer.byteLength(click(id)).toString(16)}\r\n${click(id)}\r\nzz\r\n`;
    const bytes = `${HEAD}transfer-encoding: chunked\r\n\r\n${chunk}`;
    const text = await raw(watched.collector.url, bytes);
    expect(verdictOf(text)).toEqual([400, 'invalid_argument']);
    expect(await addedIds()).toEqual([]);
  });
});

describe('a client that has sent all it wants to and says so (FIN)', () => {
  const half = { halfClose: true };

  it('gets its answers, and then the end', async () => {
    const both = [`${id}-1`, `${id}-2`];
    const requests = both.map((name) => request(click(name))).join('');
    const answers = answersOf(await raw(watched.collector.url, requests, half));
    expect(answers.map(({ status, body }) => [status, body])).toEqual([
      [202, ACCEPTED],
      [202, ACCEPTED],
    ]);
    expect(await addedIds()).toEqual(both);
  });

  it('is led where a link leads', async () => {
    const to = 'https://shop.example/';
    const query = new LinkKeys([SECRET]).sign({ adId: 'a', to, fields: new Map() });
    const bytes = `GET /c/a?${query} HTTP/1.1\r\nhost: x\r\n\r\n`;
    const text = await raw(watched.collector.url, bytes, half);
    expect(text).toMatch(/^HTTP\/1\.1 302 [^]*\r\nlocation: https:\/\/shop\.example\/\r\n/i);
    expect(await addedIds()).toHaveLength(1);
  });

  it('gets the end where it has asked for nothing', async () => {
    expect(await raw(watched.collector.url, '', half)).toBe('');
  });

  it('is told where the end came too soon, and nothing is taken', async () => {
    const text = await raw(watched.collector.url, request(click(id)).slice(0, -1), half);
    expect(verdictOf(text)).toEqual([400, 'invalid_argument']);
    expect(await addedIds()).toEqual([]);
  });
});

describe('an answer', () => {
  const get = (path: string): string =>
    `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;
  const post = (head: string, body = ''): string =>
    `${HEAD}connection: close\r\n${head}content-length: ${String(body.length)}\r\n\r\n${body}`;
  const asXml = post('').replace('application/json', 'text/xml');
  it.each([
    ['200', 200, get('/p/a.gif')],
    ['200 of the operations', 200, get('/health/live')],
    ['202', 202, post('', '{"ad_id":"a"}')],
    ['400', 400, post('')],
    ['400 of the router', 400, get('/c/%ff')],
    ['400 of a connection', 400, 'hello\r\n\r\n'],
    ['403', 403, get('/c/a')],
    ['404', 404, get('/x')],
    ['413', 413, `${HEAD}content-length: 99999999\r\n\r\n`],
    ['415', 415, asXml],
    ['422', 422, post('', '7')],
    ['431', 431, `${HEAD}x: ${'y'.repeat(20_000)}\r\n\r\n`],
  ])('%s is kept by nobody and taken for no other type', async (_what, status, bytes) => {
    const text = await raw(watched.collector.url, bytes);
    expect(verdictOf(text)[0]).toBe(status);
    expect(text.match(/^cache-control: no-store\r$/gim)).toHaveLength(1);
    expect(text.match(/^x-content-type-options: nosniff\r$/gim)).toHaveLength(1);
  });
});
