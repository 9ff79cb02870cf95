import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { TruecountError } from '../core/errors.js';
import { problemOf, type Problem } from '../core/problem.js';

/** The problem document of a question that was refused. */
export interface ApiProblem extends Problem {
  /** Of `revision_conflict`: what is the newest now. */
  readonly hour?: string;
  readonly revision?: number;
}

/** Seconds after which a client may try again when a dependency is away. */
const RETRY_AFTER_SECONDS = 1;

/** The problem document of an error; what is not ours is `internal` and tells nothing more. */
export function toProblem(error: TruecountError, requestId: string): ApiProblem {
  return { ...problemOf(error, requestId), ...conflictOf(error) };
}

/** What a client needs to decide anew after it lost a race. */
function conflictOf({ code, context }: TruecountError): Pick<ApiProblem, 'hour' | 'revision'> {
  if (code !== 'revision_conflict') return {};
  const { hour, revision } = context;
  return {
    ...(typeof hour === 'string' ? { hour } : {}),
    ...(typeof revision === 'number' ? { revision } : {}),
  };
}

/** Answers with a problem document, whatever went wrong, and logs what is not the client's doing. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const known = toKnown(error, request);
  const problem = toProblem(known, request.id);
  if (problem.status >= 500) {
    request.log.error({ err: error, cause: known.cause, code: known.code }, known.message);
  }
  if (problem.status === 503) void reply.header('retry-after', String(RETRY_AFTER_SECONDS));
  void reply
    .code(problem.status)
    .type('application/problem+json')
    .serializer((document: unknown) => JSON.stringify(document))
    .send(problem);
}

/** The problem of a path that is no route. */
export function unknownRoute(request: FastifyRequest): TruecountError {
  const path = request.url.split('?', 1)[0] ?? '';
  return new TruecountError('not_found', `there is nothing at ${request.method} ${path}`, {
    hint: 'GET /openapi.json lists what there is; an ad_id in a path is percent-encoded',
  });
}

function toKnown(error: unknown, request: FastifyRequest): TruecountError {
  if (error instanceof TruecountError) return error;
  if (!(error instanceof Error)) return new TruecountError('internal', 'something went wrong');
  const { validation, validationContext, statusCode } = error as Partial<FastifyError>;
  if (validation !== undefined) return refusal(validation, validationContext, request);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new TruecountError('invalid_argument', error.message, { cause: error });
  }
  return new TruecountError('internal', 'something went wrong; the log of the service says what', {
    cause: error,
  });
}

type Validation = NonNullable<FastifyError['validation']>;

/** What a schema refused, in the words of a question's parameters. */
function refusal(
  validation: Validation,
  where: string | undefined,
  request: FastifyRequest,
): TruecountError {
  const [fault] = validation;
  const parameter = fault?.instancePath.slice(1) ?? '';
  const unknown = fault?.params['additionalProperty'];
  const missing = fault?.params['missingProperty'];
  const hint = `${request.routeOptions.url ?? 'this route'} ${takenBy(request, where)}`;
  if (typeof unknown === 'string') {
    return new TruecountError('invalid_argument', `unknown parameter ${JSON.stringify(unknown)}`, {
      hint,
    });
  }
  if (typeof missing === 'string') {
    return new TruecountError('invalid_argument', `the parameter ${missing} is missing`, { hint });
  }
  const message = `${parameter === '' ? (where ?? 'the request') : parameter} ${fault?.message ?? ''}`;
  return new TruecountError('invalid_argument', message.trim(), { hint, context: { parameter } });
}

/** The names that a route knows: those of its body where that was refused, else its parameters. */
function takenBy({ routeOptions }: FastifyRequest, where: string | undefined): string {
  const inBody = where === 'body';
  const schema = (inBody ? routeOptions.schema?.body : routeOptions.schema?.querystring) as
    { properties?: Record<string, unknown> } | undefined;
  const names = Object.keys(schema?.properties ?? {});
  if (names.length === 0) return 'takes no parameters';
  return `takes${inBody ? ' in its body' : ''}: ${names.join(', ')}`;
}
