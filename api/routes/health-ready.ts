import type pg from 'pg';
import Type from 'typebox';
import type { Migration } from '../../store/migrate.js';
import { checkReadable } from '../../store/read/readable.js';
import { PROBLEM_RESPONSES } from '../schemas.js';
import type { Api } from '../type-provider.js';

const schema = {
  summary: 'Questions can be answered: Postgres answers and its schema is current',
  operationId: 'ready',
  response: { 200: Type.Object({ status: Type.Literal('ready') }), 503: PROBLEM_RESPONSES[503] },
};

/** `GET /health/ready` */
export function healthReadyRoute(api: Api, pool: pg.Pool, migrations: readonly Migration[]): void {
  api.get('/health/ready', { schema }, async () => {
    await checkReadable(pool, migrations);
    return { status: 'ready' as const };
  });
}
