import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TruecountError } from '../core/errors.js';

const PREFLIGHT_SECONDS = '600';

/**
 * Lets pages of the listed origins read what `POST /clicks` answers; `*` lists all. Without it
 * pages can still send (`sendBeacon`, `no-cors`), they only cannot see the answer. No cookies are
 * asked for or read, so none are allowed.
 * @throws TruecountError `invalid_config` for an entry that is no origin as browsers write it
 */
export function allowOrigins(app: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return;
  for (const entry of origins) checkOrigin(entry);
  const any = origins.includes('*');
  const allow = ({ headers }: FastifyRequest, reply: FastifyReply): void => {
    const { origin } = headers;
    if (!any) void reply.header('vary', 'origin');
    if (origin === undefined || !(any || origins.includes(origin))) return;
    void reply.header('access-control-allow-origin', any ? '*' : origin);
    void reply.header('access-control-expose-headers', 'retry-after');
  };
  app.addHook('onRequest', (request, reply, done) => {
    allow(request, reply);
    done();
  });
  app.options('/clicks', { schema: { hide: true } }, (_request, reply) =>
    reply
      .code(204)
      .header('access-control-allow-methods', 'POST')
      .header('access-control-allow-headers', 'content-type, content-encoding, idempotency-key')
      .header('access-control-max-age', PREFLIGHT_SECONDS)
      .send(),
  );
}

/** Browsers send scheme, host, and the port unless it is the scheme's own; or `null`. */
function checkOrigin(entry: string): void {
  if (entry === '*' || entry === 'null' || originOf(entry) === entry) return;
  const meant = originOf(entry) ?? originOf(`https://${entry}`) ?? 'https://shop.example';
  throw new TruecountError('invalid_config', `collect.corsOrigins: ${entry} is no origin`, {
    hint: `write ${meant}, as browsers do: with the scheme, without a path or a slash at the end`,
  });
}

function originOf(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url === undefined || url.host === '' ? undefined : `${url.protocol}//${url.host}`;
}
