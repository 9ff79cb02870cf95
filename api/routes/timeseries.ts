import Type from 'typebox';
import type { Reader } from '../../store/read/connection.js';
import { ARROW_STREAM, seriesArrow } from '../answers/series-arrow.js';
import {
  GranularitySchema,
  TimeseriesDocument,
  answerSeries,
  seriesDocument,
} from '../answers/timeseries.js';
import { prefers } from '../prefers.js';
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
  summary: 'How often an ad was clicked, per minute, hour or day',
  operationId: 'timeseries',
  params: Type.Object({ ad_id: Type.String({ description: 'percent-encoded UTF-8' }) }),
  querystring: Type.Object(
    {
      from: FromSchema,
      to: ToSchema,
      filter_id: Type.Optional(FilterSchema),
      granularity: Type.Optional(GranularitySchema),
      as_of: Type.Optional(AsOfSchema),
    },
    { additionalProperties: false },
  ),
  response: {
    200: {
      description: 'JSON, or an Arrow IPC stream where `Accept` prefers it',
      content: {
        'application/json': { schema: TimeseriesDocument },
        [ARROW_STREAM]: { schema: Type.Unsafe<Uint8Array>({ type: 'string', format: 'binary' }) },
      },
    },
    ...PROBLEM_RESPONSES,
    ...COLLECTED_RESPONSE,
  },
};

/** `GET /ads/{ad_id}/timeseries`, in JSON or as an Arrow stream. */
export function timeseriesRoute(api: Api, reader: Reader): void {
  api.get('/ads/:ad_id/timeseries', { schema }, async (request, reply) => {
    const series = await answerSeries(reader, { ...request.query, ...request.params });
    void reply.header('vary', 'accept');
    if (!prefers(request.headers.accept, ARROW_STREAM, 'application/json')) {
      return reply.send(seriesDocument(series));
    }
    return reply.type(ARROW_STREAM).send(Buffer.from(seriesArrow(series)));
  });
}
