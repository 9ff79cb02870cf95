import Type from 'typebox';
import type { Reader } from '../../store/read/connection.js';
import {
  RECONCILIATIONS_DEFAULT,
  RECONCILIATIONS_MAX,
  ReconciliationDocument,
  ReconciliationsDocument,
  answerReconciliation,
  answerReconciliations,
} from '../answers/reconciliations.js';
import { FromSchema, LimitSchema, PROBLEM_RESPONSES } from '../schemas.js';
import type { Api } from '../type-provider.js';

const Id = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });

const list = {
  summary: 'The diffs that decided about generations, the newest first',
  operationId: 'reconciliations',
  querystring: Type.Object(
    {
      hour: Type.Optional({ ...FromSchema, description: 'only those of this hour' }),
      before: Type.Optional({ ...Id, description: 'only those with a lower id' }),
      limit: Type.Optional(
        LimitSchema('reconciliations', RECONCILIATIONS_MAX, RECONCILIATIONS_DEFAULT),
      ),
    },
    { additionalProperties: false },
  ),
  response: { 200: ReconciliationsDocument, ...PROBLEM_RESPONSES },
};

const one = {
  summary: 'A reconciliation and the cells that differ',
  operationId: 'reconciliation',
  params: Type.Object({ id: Id }),
  response: { 200: ReconciliationDocument, ...PROBLEM_RESPONSES },
};

/** `GET /reconciliations` and `GET /reconciliations/{id}` */
export function reconciliationsRoute(api: Api, reader: Reader): void {
  api.get('/reconciliations', { schema: list }, async (request) =>
    answerReconciliations(reader, request.query),
  );
  api.get('/reconciliations/:id', { schema: one }, async (request) =>
    answerReconciliation(reader, request.params.id),
  );
}
