import Type from 'typebox';
import type { Reader } from '../../store/read/connection.js';
import { HoursDocument, answerHours } from '../answers/hours.js';
import { AsOfSchema, FromSchema, PROBLEM_RESPONSES, ToSchema } from '../schemas.js';
import type { Api } from '../type-provider.js';

const schema = {
  summary: 'State, revision, rule set, cut and late clicks of each hour',
  operationId: 'hours',
  querystring: Type.Object(
    {
      from: Type.Optional(FromSchema),
      to: Type.Optional(ToSchema),
      as_of: Type.Optional(AsOfSchema),
    },
    { additionalProperties: false },
  ),
  response: { 200: HoursDocument, ...PROBLEM_RESPONSES },
};

/** `GET /hours` */
export function hoursRoute(api: Api, reader: Reader): void {
  api.get('/hours', { schema }, async (request) => answerHours(reader, request.query));
}
