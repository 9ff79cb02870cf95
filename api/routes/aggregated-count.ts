import Type from 'typebox';
import type { Reader } from '../../store/read/connection.js';
import { CountDocument, answerCount } from '../answers/count.js';
import {
  AsOfSchema,
  COLLECTED_RESPONSE,
  FilterSchema,
  FromSchema,
  PROBLEM_RESPONSES,
  ToSchema,
} from '../schemas.js';
import type { Api } from '../type-provider.js';

const schema = {
  summary: 'How often an ad was clicked in a range of minutes',
  operationId: 'aggregatedCount',
  params: Type.Object({ ad_id: Type.String({ description: 'percent-encoded UTF-8' }) }),
  querystring: Type.Object(
    {
      from: FromSchema,
      to: ToSchema,
      filter_id: Type.Optional(FilterSchema),
      as_of: Type.Optional(AsOfSchema),
    },
    { additionalProperties: false },
  ),
  response: { 200: CountDocument, ...PROBLEM_RESPONSES, ...COLLECTED_RESPONSE },
};

/** `GET /ads/{ad_id}/aggregated_count` */
export function aggregatedCountRoute(api: Api, reader: Reader): void {
  api.get('/ads/:ad_id/aggregated_count', { schema }, async (request) =>
    answerCount(reader, { ...request.query, ...request.params }),
  );
}
