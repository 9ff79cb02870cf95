import type { Api } from '../type-provider.js';

/** `GET /openapi.json`: generated from the schemas that check the requests. */
export function openapiRoute(api: Api): void {
  api.get('/openapi.json', { schema: { hide: true } }, () => api.swagger());
}
