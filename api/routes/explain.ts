import Type from 'typebox';
import type { Reader } from '../../store/read/connection.js';
import { ExplainDocument, answerExplain, type VerifyCell } from '../answers/explain.js';
import { AsOfSchema, FilterSchema, PROBLEM_RESPONSES } from '../schemas.js';
import type { Api } from '../type-provider.js';

/** Clicks that one answer lists at most. */
const CLICKS_MAX = 1_000;

const schema = {
  summary: 'Where the count of one ad and minute comes from',
  operationId: 'explain',
  params: Type.Object({ ad_id: Type.String({ description: 'percent-encoded UTF-8' }) }),
  querystring: Type.Object(
    {
      minute: Type.String({
        description: 'RFC 3339, or UTC as 2026-11-21T10:05',
        examples: ['2026-11-21T10:05'],
        minLength: 1,
        maxLength: 64,
      }),
      filter_id: Type.Optional(FilterSchema),
      as_of: Type.Optional(AsOfSchema),
      verify: Type.Optional(Type.Boolean({ description: 'compute it again from the lake' })),
      clicks: Type.Optional(
        Type.Integer({
          description: 'list so many of the counted clicks; implies verify',
          minimum: 0,
          maximum: CLICKS_MAX,
        }),
      ),
    },
    { additionalProperties: false },
  ),
  response: { 200: ExplainDocument, ...PROBLEM_RESPONSES },
};

/** `GET /ads/{ad_id}/explain`; without `verifyCell` it refuses `verify`. */
export function explainRoute(api: Api, reader: Reader, verifyCell?: VerifyCell): void {
  api.get('/ads/:ad_id/explain', { schema }, async (request) =>
    answerExplain(reader, { ...request.query, ...request.params }, verifyCell),
  );
}
