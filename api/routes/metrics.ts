import type { Registry } from 'prom-client';
import type { Api } from '../type-provider.js';

/** `GET /metrics`, in the Prometheus text format. */
export function metricsRoute(api: Api, registry: Registry): void {
  api.get('/metrics', { schema: { hide: true } }, async (_request, reply) => {
    const text = await registry.metrics();
    return reply.type(registry.contentType).send(text);
  });
}
