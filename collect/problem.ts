import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { TruecountError } from '../core/errors.js';
import { problemOf, type Problem } from '../core/problem.js';

/** Seconds after which a client may try again: the clicks go into the next batch. */
const RETRY_AFTER_SECONDS = 1;

/** Members of `context` that are told: they are the client's own, or counts. */
const TOLD = ['rejected', 'event_ids', 'retry'] as const;

/** Headers of every answer. Nobody keeps one: the next request for the same is another click. */
export const ALWAYS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

/**
 * Answers with a problem document. The connection ends where the rest of the request may still be
 * on its way: nobody will read it.
 */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const known = toKnown(error, request);
  const problem = problemOf(known, request.id);
  if (known.code === 'internal') {
    request.log.error({ err: error, cause: known.cause }, known.message);
  }
  void reply.headers(ALWAYS); // hooks do not run for what the router refuses
  if (isWorthAnotherTry(problem)) {
    const { retryAfterSeconds = RETRY_AFTER_SECONDS } = known.context;
    void reply.header('retry-after', String(retryAfterSeconds));
  }
  if (!request.raw.complete) void reply.header('connection', 'close');
  const told = TOLD.filter((name) => known.context[name] !== undefined);
  const more = Object.fromEntries(told.map((name) => [name, known.context[name]]));
  const text = JSON.stringify({ ...problem, ...more });
  void reply.code(problem.status).type('application/problem+json').send(text);
}

/** An error that also says something of its request; `hint`, if given, takes the place of its own. */
export function withContext(
  error: TruecountError,
  more: Readonly<Record<string, unknown>>,
  hint = error.hint,
): TruecountError {
  const { code, message, context, cause } = error;
  return new TruecountError(code, message, {
    ...(hint === undefined ? {} : { hint }),
    context: { ...context, ...more },
    cause,
  });
}

/** The problem of a path that is no route. */
export function unknownRoute(request: FastifyRequest): TruecountError {
  return new TruecountError('not_found', `nothing is collected at ${request.method} here`, {
    hint: 'GET /openapi.json lists what there is; an ad_id in a path is percent-encoded',
  });
}

function isWorthAnotherTry({ status, code }: Problem): boolean {
  return status === 429 || (status === 503 && code !== 'prefetch_refused');
}

function toKnown(error: unknown, request: FastifyRequest): TruecountError {
  if (error instanceof TruecountError) return error;
  const { statusCode = 500, message = '' } = error as Partial<FastifyError>;
  if (statusCode === 415) {
    return new TruecountError('unsupported_content', 'the Content-Type is malformed');
  }
  if (statusCode >= 400 && statusCode < 500) {
    return new TruecountError('invalid_argument', message, { cause: error });
  }
  const text = 'something went wrong; the log of the collector says what';
  return new TruecountError('internal', text, {
    cause: error,
    context: { route: request.routeOptions.url },
  });
}
