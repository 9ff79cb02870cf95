import Type from 'typebox';
import type { Api } from '../type-provider.js';

const schema = {
  summary: 'The process runs',
  operationId: 'live',
  response: { 200: Type.Object({ status: Type.Literal('live') }) },
};

/** `GET /health/live`: asks nobody, so a restart is never caused by a dependency. */
export function healthLiveRoute(api: Api): void {
  api.get('/health/live', { schema }, () => ({ status: 'live' as const }));
}
