import { connect } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseClick } from '../../core/click/parse.js';
import { ERROR_CODES } from '../../core/errors.js';
import { until } from '../support/until.js';
import { bodyOf, metric, watchedCollector } from './support/collecting.js';
import { HEAD, raw as rawHttp, verdictOf } from './support/raw-http.js';

const REQUEST_TIMEOUT_MS = 1_000;
const CONNECTIONS = 64;
const watched = watchedCollector(2, {
  requestTimeoutMs: REQUEST_TIMEOUT_MS,
  connectionsMax: CONNECTIONS,
  lingerMs: 0,
});

async function added(): Promise<string[]> {
  return (await watched.added()).sort();
}

async function untilNothingIsHeld(): Promise<void> {
  await until('no memory is held', async () => {
    return (await metric(watched.collector.url, 'truecount_collect_held_bytes')) === 0;
  });
}

function raw(bytes: string): Promise<string> {
  return rawHttp(watched.collector.url, bytes);
}

const CLICK = `{"event_id":"x","ad_id":"a","timestamp":${String(Date.now())}}`;

describe('a connection', () => {
  it('that sends its headers or its body too slowly is answered 408 and ended', async () => {
    const startMs = performance.now();
    const answers = await Promise.all([
      raw(HEAD),
      raw(`${HEAD}content-length: 100\r\n\r\n{"event`),
      raw(`${HEAD}transfer-encoding: chunked\r\n\r\n5\r\n{"eve\r\n`),
    ]);
    expect(answers.map(verdictOf)).toEqual(Array(3).fill([408, 'request_timeout']));
    expect(performance.now() - startMs).toBeLessThan(REQUEST_TIMEOUT_MS + 4_000);
    await untilNothingIsHeld();
    expect(await added()).toEqual([]);
  });

  it('that never ends its side is ended all the same', async () => {
    const { hostname, port } = new URL(watched.collector.url);
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    socket.on('error', () => undefined);
    socket.write(`${HEAD}content-length: 100\r\n\r\n{"event`);
    socket.resume();
    await new Promise((resolve) => socket.once('end', resolve));
    await untilNothingIsHeld();
    socket.destroy();
  });

  it('leaves room for others while as many as may be are slow', async () => {
    const slow = Array.from({ length: 2 * CONNECTIONS }, () => raw(HEAD));
    const verdicts = (await Promise.all(slow)).map((answer) => verdictOf(answer)[0]);
    expect(verdicts.filter((status) => status === 408).length).toBeLessThanOrEqual(CONNECTIONS);
    expect((await fetch(`${watched.collector.url}/health/live`)).status).toBe(200);
  });

  it.each([
    [
      'headers that are too long',
      `${HEAD}x: ${'y'.repeat(20_000)}\r\n\r\n`,
      431,
      'headers_too_large',
    ],
    ['no HTTP', 'hello\r\n\r\n', 400, 'invalid_argument'],
    [
      'a bare line feed in a header',
      `${HEAD}idempotency-key: a\nx: b\r\n\r\n`,
      400,
      'invalid_argument',
    ],
    ['a NUL in a header', `${HEAD}idempotency-key: a\0b\r\n\r\n`, 400, 'invalid_argument'],
    [
      'two lengths',
      `${HEAD}content-length: 1\r\ncontent-length: 2\r\n\r\n{}`,
      400,
      'invalid_argument',
    ],
    [
      'a length and chunks',
      `${HEAD}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      'invalid_argument',
    ],
    [
      'two Idempotency-Keys',
      `${HEAD}connection: close\r\nidempotency-key: a\r\nidempotency-key: b\r\ncontent-length: ${String(CLICK.length)}\r\n\r\n${CLICK}`,
      400,
      'invalid_argument',
    ],
    ['no host', 'GET /health/live HTTP/1.1\r\nconnection: close\r\n\r\n', 400, 'invalid_argument'],
    [
      'an expectation that nobody knows, and no click',
      `${HEAD}connection: close\r\nexpect: foo\r\ncontent-length: 2\r\n\r\n7 `,
      422,
      'clicks_rejected',
    ],
    ['a length over the limit', `${HEAD}content-length: 99999999\r\n\r\n`, 413, 'body_too_large'],
  ])('with %s is refused', async (_what, bytes, status, code) => {
    expect(verdictOf(await raw(bytes))).toEqual([status, code]);
    expect(await added()).toEqual([]);
  });

  it('that sends chunk after chunk is ended at the limit', async () => {
    const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`;
    const answer = await raw(`${HEAD}transfer-encoding: chunked\r\n\r\n${chunk.repeat(40)}`);
    expect(verdictOf(answer)).toEqual([413, 'body_too_large']);
    await untilNothingIsHeld();
  });

  it('that does not read its answers holds memory only until it is ended', async () => {
    const { hostname, port } = new URL(watched.collector.url);
    const socket = connect({ port: Number(port), host: hostname });
    socket.on('error', () => undefined);
    socket.pause();
    const body = '1\n'.repeat(10_000); // ten thousand reasons why it is no click
    const request = `${HEAD}content-length: ${String(body.length)}\r\n\r\n${body}`;
    socket.write(request.replace('json', 'x-ndjson').repeat(40));
    await until('answers wait for the client', async () => {
      return (await metric(watched.collector.url, 'truecount_collect_held_bytes')) > 0;
    });
    socket.destroy();
    await untilNothingIsHeld();
    expect(await added()).toEqual([]);
  });

  it('does not get a header that it put into an id', async () => {
    const id = 'x\\r\\nX-Evil: 1';
    const body = `{"event_id":"${id}","ad_id":"a","timestamp":1}`;
    const answer = await raw(
      `${HEAD}connection: close\r\ncontent-length: ${String(body.length)}\r\n\r\n${body}`,
    );
    expect(verdictOf(answer)).toEqual([422, 'clicks_rejected']);
    expect(answer).not.toMatch(/X-Evil/i);
  });
});

describe('any body', () => {
  const json = fc.oneof(
    fc.json({ maxDepth: 3 }),
    fc
      .record(
        {
          event_id: fc.string(),
          ad_id: fc.string(),
          timestamp: fc.oneof(fc.string(), fc.integer(), fc.constant(Date.now())),
        },
        { requiredKeys: [] },
      )
      .map((value) => JSON.stringify(value)),
    fc
      .tuple(fc.uuid(), fc.string({ minLength: 1, maxLength: 5 }))
      .map(([id, ad]) => JSON.stringify({ event_id: id, ad_id: ad, timestamp: Date.now() })),
  );
  const record = fc.oneof(
    { weight: 4, arbitrary: json.map((text) => Buffer.from(text)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)) },
    { weight: 1, arbitrary: json.map((text) => Buffer.from(text.slice(0, -1))) },
  );

  it('has a closed code, and just the lines that are clicks come to the log', async () => {
    const counted: string[] = [];
    await fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 6 }), async (records) => {
        const body = Buffer.concat(records.flatMap((one) => [one, Buffer.from('\n')]));
        const response = await fetch(`${watched.collector.url}/clicks`, {
          method: 'POST',
          headers: { 'content-type': 'application/x-ndjson' },
          body: new Uint8Array(body),
        });
        const lines = linesOf(body);
        const good = lines.filter((line) => parseClick(line, Date.now(), []).kind === 'click');
        if (response.status !== 202) {
          const { code } = await bodyOf<{ code: string }>(response);
          expect(Object.keys(ERROR_CODES)).toContain(code);
          expect([400, 422]).toContain(response.status);
          expect(good).toEqual([]);
          return;
        }
        const answer = await bodyOf<{
          accepted: number;
          rejected: { index: number }[];
          event_ids?: { event_id: string }[];
        }>(response);
        const given = answer.event_ids ?? [];
        expect(answer.accepted).toBe(good.length + given.length);
        expect(answer.accepted + answer.rejected.length).toBe(lines.length);
        counted.push(...good.map(String), ...given.map((one) => one.event_id));
      }),
      { numRuns: 300 },
    );
    const stored = (await added()).map((text) => (counted.includes(text) ? text : idOf(text)));
    expect(stored.sort()).toEqual(counted.sort());
  });

  it('as an array, is taken apart as JSON.parse would, or refused', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(json, { maxLength: 5 }),
        fc.string({ maxLength: 2 }),
        async (records, end) => {
          const body = `[${records.join()}]${end}`;
          const response = await fetch(`${watched.collector.url}/clicks`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body,
          });
          const answer = await bodyOf<{ accepted?: number; rejected?: unknown[]; code?: string }>(
            response,
          );
          const taken = (answer.accepted ?? 0) + (answer.rejected?.length ?? 0);
          const whole = parsedLength(body);
          if (whole === undefined) expect(response.status).toBeGreaterThanOrEqual(400);
          else
            expect([taken, response.status]).toEqual([whole, whole === 0 ? 400 : response.status]);
          expect([202, 400, 422]).toContain(response.status);
        },
      ),
      { numRuns: 200 },
    );
  });
});

/** The lines of a body, as bytes: split at LF, without a CR before it and without empty ones. */
function linesOf(body: Buffer): Buffer[] {
  const lines = body
    .toString('latin1')
    .split('\n')
    .map((line) => line.replace(/\r$/, ''));
  return lines.filter((line) => line !== '').map((line) => Buffer.from(line, 'latin1'));
}

function idOf(text: string): string {
  return (JSON.parse(text) as { event_id: string }).event_id;
}

function parsedLength(body: string): number | undefined {
  try {
    const value = JSON.parse(body) as unknown;
    return Array.isArray(value) ? value.length : undefined;
  } catch {
    return undefined;
  }
}
