import Type from 'typebox';
import { QUESTION_LIMITS } from '../../core/question.js';
import type { Reader } from '../../store/read/connection.js';
import { TopDocument, answerTop } from '../answers/top.js';
import {
  AsOfSchema,
  AtSchema,
  COLLECTED_RESPONSE,
  FilterSchema,
  PROBLEM_RESPONSES,
} from '../schemas.js';
import type { Api } from '../type-provider.js';

const schema = {
  summary: 'The most clicked ads of a window',
  operationId: 'popularAds',
  querystring: Type.Object(
    {
      window_size: Type.Integer({
        description: 'minutes',
        minimum: 1,
        maximum: QUESTION_LIMITS.windowMinutesMax,
      }),
      top_n: Type.Integer({
        description: 'ads at most',
        minimum: 1,
        maximum: QUESTION_LIMITS.topNMax,
      }),
      at: Type.Optional(AtSchema),
      filter_id: Type.Optional(FilterSchema),
      as_of: Type.Optional(AsOfSchema),
    },
    { additionalProperties: false },
  ),
  response: { 200: TopDocument, ...PROBLEM_RESPONSES, ...COLLECTED_RESPONSE },
};

/** `GET /ads/popular_ads` */
export function popularAdsRoute(api: Api, reader: Reader): void {
  api.get('/ads/popular_ads', { schema }, async (request) => answerTop(reader, request.query));
}
