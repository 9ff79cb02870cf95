import type { FastifyInstance } from 'fastify';
import { TruecountError } from '../../core/errors.js';
import type { Collector } from '../collector.js';
import { LIVE_SCHEMA, READY_SCHEMA } from '../schemas.js';

/** `GET /health/live`, `/health/ready`, `/metrics` and `/openapi.json`. */
export function operationsRoutes(app: FastifyInstance, collector: Collector): void {
  const { metrics } = collector;
  app.get('/health/live', { schema: LIVE_SCHEMA }, () => ({ status: 'live' }));
  app.get('/health/ready', { schema: READY_SCHEMA }, () => {
    const why = collector.problem();
    if (why === undefined) return { status: 'ready' };
    throw new TruecountError('not_ready', `no clicks are taken: ${why}`, {
      hint: 'truecount doctor says what is wrong',
    });
  });
  app.get('/metrics', { schema: { hide: true } }, async (_request, reply) => {
    const text = await metrics.registry.metrics();
    return reply.type(metrics.registry.contentType).send(text);
  });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}
