import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const PREFLIGHT_SECONDS = '600';

/**
 * Lets pages of the listed origins read what `POST /clicks` answers; `*` lists all. Without it
 * pages can still send (`sendBeacon`, `no-cors`), they only cannot see the answer. No cookies are
 * asked for or read, so none are allowed.
 */
export function allowOrigins(app: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return;
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
