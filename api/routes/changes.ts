import Type from 'typebox';
import type { Reader } from '../../store/read/connection.js';
import {
  CHANGES_DEFAULT,
  CHANGES_MAX,
  ChangesDocument,
  answerChanges,
} from '../answers/changes.js';
import { AfterSchema, COLLECTED_RESPONSE, LimitSchema, PROBLEM_RESPONSES } from '../schemas.js';
import type { Api } from '../type-provider.js';

/** A cursor holds an ad_id and a filter, base64 of JSON, in which a character may take six bytes. */
const CURSOR_CHARACTERS_MAX = 16 * 1024;

const schema = {
  summary: 'What was published after a publication: the cells that changed',
  operationId: 'changes',
  querystring: Type.Object(
    {
      after: AfterSchema,
      limit: Type.Optional(LimitSchema('cells', CHANGES_MAX, CHANGES_DEFAULT)),
      cursor: Type.Optional(
        Type.String({
          description: '`next.cursor` of the page before',
          minLength: 1,
          maxLength: CURSOR_CHARACTERS_MAX,
        }),
      ),
    },
    { additionalProperties: false },
  ),
  response: { 200: ChangesDocument, ...PROBLEM_RESPONSES, ...COLLECTED_RESPONSE },
};

/** `GET /changes` */
export function changesRoute(api: Api, reader: Reader): void {
  api.get('/changes', { schema }, async (request) => answerChanges(reader, request.query));
}
