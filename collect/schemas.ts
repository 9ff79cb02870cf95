import Type from 'typebox';
import { REJECT_REASONS } from '../core/click/reasons.js';
import { ERROR_CODES } from '../core/errors.js';

/**
 * Schemas of the collector's routes: they document (`GET /openapi.json`) and check nothing. What a
 * request holds is looked at by the code that has to be strict about it.
 */

const RejectedSchema = Type.Array(
  Type.Object({
    index: Type.Integer({ description: 'which record of the body, from 0' }),
    code: Type.Enum([...REJECT_REASONS], { description: 'closed list' }),
    detail: Type.String(),
  }),
);

const EventIdsSchema = Type.Array(
  Type.Object({
    index: Type.Integer({ description: 'which record of the body, from 0' }),
    event_id: Type.String(),
    timestamp: Type.Optional(Type.String({ format: 'date-time' })),
  }),
  { description: 'what clicks without an id were given; send it along when you try again' },
);

/** RFC 9457. */
const ProblemSchema = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    instance: Type.String(),
    code: Type.Enum(Object.keys(ERROR_CODES), { description: 'closed list' }),
    hint: Type.Optional(Type.String()),
    rejected: Type.Optional(RejectedSchema),
    event_ids: Type.Optional(EventIdsSchema),
    retry: Type.Optional(
      Type.String({
        description:
          'of a link or pixel: the query under which it is the same click, `?event_id=…`',
      }),
    ),
  },
  { description: 'problem document (application/problem+json)' },
);

function problems<S extends number>(...statuses: readonly S[]): Record<S, typeof ProblemSchema> {
  const entries = statuses.map((status) => [status, ProblemSchema]);
  return Object.fromEntries(entries) as Record<S, typeof ProblemSchema>;
}

export const CLICKS_SCHEMA = {
  summary: 'Clicks: a JSON object, an array, or one object on each line; gzip is unpacked',
  operationId: 'collectClicks',
  consumes: ['application/json', 'application/x-ndjson', 'text/plain'],
  headers: Type.Object({
    'idempotency-key': Type.Optional(
      Type.String({ description: 'event_id of the only click, if it has none itself' }),
    ),
  }),
  response: {
    202: Type.Object(
      {
        accepted: Type.Integer({ description: 'clicks that all in-sync replicas have' }),
        rejected: RejectedSchema,
        event_ids: Type.Optional(EventIdsSchema),
      },
      { description: 'answered after the acknowledgement' },
    ),
    ...problems(400, 408, 413, 415, 422, 429, 431, 503),
  },
};

const parameter = (description: string) => Type.Optional(Type.String({ description }));

const CLICK_PARAMETERS = {
  event_id: parameter('id of the click; needs a timestamp'),
  timestamp: parameter('RFC 3339 or epoch ms; left out: the time of arrival'),
  'f.NAME': parameter('a field of the click, such as f.country=US'),
};

export const LINK_SCHEMA = {
  summary: 'Counts a click and redirects to a signed destination on an allowed host',
  operationId: 'followLink',
  params: Type.Object({ ad_id: Type.String() }),
  querystring: Type.Object({
    to: Type.String({ description: 'destination' }),
    key: Type.String({ description: 'id of the key that the link is signed with' }),
    sig: Type.String({ description: 'HMAC-SHA256, base64url' }),
    exp: parameter('second since 1970 from which the link is refused'),
    ...CLICK_PARAMETERS,
  }),
  response: {
    302: Type.Null({ description: 'answered after the acknowledgement' }),
    ...problems(400, 403, 410, 422, 429, 503),
  },
};

export const PIXEL_SCHEMA = {
  summary: 'Counts a click and answers with a transparent picture of one dot',
  operationId: 'showPixel',
  params: Type.Object({ file: Type.String({ description: '{ad_id}.gif' }) }),
  querystring: Type.Object(CLICK_PARAMETERS),
  response: { 200: Type.Any({ description: 'image/gif' }), ...problems(400, 422, 429, 503) },
};

export const LIVE_SCHEMA = {
  summary: 'The process runs',
  operationId: 'live',
  response: { 200: Type.Object({ status: Type.Literal('live') }) },
};

export const READY_SCHEMA = {
  summary: 'Clicks can be taken: Kafka is connected and acknowledges',
  operationId: 'ready',
  response: { 200: Type.Object({ status: Type.Literal('ready') }), ...problems(503) },
};
