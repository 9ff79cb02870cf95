import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TruecountError } from '../../core/errors.js';
import type { Allowance } from '../budget.js';
import { readBody } from '../body.js';
import type { Collector } from '../collector.js';
import type { AcceptedClick, GivenId, RejectedClick } from '../judge.js';
import { withContext } from '../problem.js';
import { CLICKS_SCHEMA } from '../schemas.js';
import { formOf, splitBody } from '../split.js';

/** `POST /clicks`: one click, an array, or one on each line; 202 after the broker's acks. */
export function clicksRoute(app: FastifyInstance, collector: Collector): void {
  app.post('/clicks', { schema: CLICKS_SCHEMA }, async (request, reply) => {
    const text = await collector.holding((allowance) => take(collector, request, allowance));
    return answer(reply, text);
  });
}

/** The answer to a request with one good click, which is most of them. */
const ONE_ACCEPTED = '{"accepted":1,"rejected":[]}';

async function take(
  collector: Collector,
  request: FastifyRequest,
  allowance: Allowance,
): Promise<string> {
  const { unpacker, requestClicksMax, settings } = collector;
  const form = formOf(request.headers['content-type']);
  const body = await readBody(request.raw, settings.bodyBytesMax, allowance, unpacker);
  const records = splitBody(body, form, requestClicksMax);
  const key = idempotencyKey(request, records.length);
  const nowMs = Date.now();
  const clicks: AcceptedClick[] = [];
  const rejected: ({ index: number } & Omit<RejectedClick, 'kind'>)[] = [];
  const eventIds: ({ index: number } & GivenId)[] = [];
  for (const [index, bytes] of records.entries()) {
    const judged = collector.judge.judge(bytes, nowMs, key);
    if (judged.kind === 'click') {
      clicks.push(judged);
      if (judged.given !== undefined) eventIds.push({ index, ...judged.given });
    } else rejected.push({ index, code: judged.code, detail: judged.detail });
  }
  if (rejected.length > 0) collector.metrics.tell('rejected', rejected.length);
  if (clicks.length === 0) throw allRejected(rejected, form === 'json' && areLines(body));
  await collector.acknowledged(clicks).catch((error: unknown) => {
    throw withIds(error, eventIds);
  });
  if (records.length === 1 && eventIds.length === 0) return ONE_ACCEPTED;
  return JSON.stringify({
    accepted: clicks.length,
    rejected,
    ...(eventIds.length === 0 ? {} : { event_ids: eventIds }),
  });
}

function answer(reply: FastifyReply, text: string): FastifyReply {
  return reply.code(202).header('content-type', 'application/json; charset=utf-8').send(text);
}

/**
 * The id that a header gives to the only click of a request. Quotes around it, as the IETF draft
 * of the header has them, are not part of it.
 * @throws TruecountError `invalid_argument`
 */
function idempotencyKey({ headers, raw }: FastifyRequest, clicks: number): string | undefined {
  const header = headers['idempotency-key'];
  if (header === undefined) return undefined;
  const [, quoted, bare] = /^(?:"([\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255}))$/.exec(
    raw.headersDistinct['idempotency-key']?.length === 1 ? String(header) : '',
  ) ?? [undefined, undefined, undefined];
  const key = quoted ?? bare;
  if (key === undefined || clicks !== 1) {
    throw new TruecountError(
      'invalid_argument',
      'Idempotency-Key is the id of one click: 1 to 255 visible ASCII characters, once',
      { hint: 'give several clicks an event_id each' },
    );
  }
  return key;
}

/** Whether a body that is no JSON document looks like one on each line. */
function areLines(body: Buffer): boolean {
  return ['}\n{', '}\r\n{'].some((between) => body.includes(between));
}

function allRejected(rejected: readonly object[], areLinesAsJson: boolean): TruecountError {
  const what = rejected.length === 1 ? 'this is' : 'these are';
  return new TruecountError(
    'clicks_rejected',
    `${what} no click${rejected.length === 1 ? '' : 's'}`,
    {
      hint: areLinesAsJson
        ? 'send one click on each line as application/x-ndjson'
        : 'docs/reference/quarantine.md says what each code means',
      context: { rejected },
    },
  );
}

/** What was not acknowledged may still count: with the ids that it got it counts once. */
function withIds(error: unknown, eventIds: readonly object[]): unknown {
  if (!(error instanceof TruecountError) || eventIds.length === 0) return error;
  return withContext(error, { event_ids: eventIds });
}
