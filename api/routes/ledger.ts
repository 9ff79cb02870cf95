import Type from 'typebox';
import type { Reader } from '../../store/read/connection.js';
import { LEDGER_DEFAULT, LEDGER_MAX, LedgerDocument, answerLedger } from '../answers/ledger.js';
import { AfterSchema, LimitSchema, PROBLEM_RESPONSES } from '../schemas.js';
import type { Api } from '../type-provider.js';

const schema = {
  summary: 'The hash-chained record of publications',
  operationId: 'ledger',
  querystring: Type.Object(
    {
      after: Type.Optional(AfterSchema),
      limit: Type.Optional(LimitSchema('entries', LEDGER_MAX, LEDGER_DEFAULT)),
    },
    { additionalProperties: false },
  ),
  response: { 200: LedgerDocument, ...PROBLEM_RESPONSES },
};

/** `GET /ledger` */
export function ledgerRoute(api: Api, reader: Reader): void {
  api.get('/ledger', { schema }, async (request) => answerLedger(reader, request.query));
}
