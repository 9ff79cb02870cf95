import Type from 'typebox';
import {
  REPLAYS_DEFAULT,
  REPLAYS_MAX,
  ReplayBody,
  ReplayDocument,
  ReplaySummaryDocument,
  ReplaysDocument,
  answerReplay,
  answerReplays,
  startReplay,
} from '../answers/replays.js';
import type { Reader } from '../../store/read/connection.js';
import type { ReplayControl } from '../replay-control.js';
import { CONFLICT_RESPONSE, LimitSchema, PROBLEM_RESPONSES } from '../schemas.js';
import type { Api } from '../type-provider.js';

const start = {
  summary: 'Compute a range of hours again and publish what differs',
  operationId: 'startReplay',
  body: ReplayBody,
  response: { 202: ReplaySummaryDocument, ...PROBLEM_RESPONSES, ...CONFLICT_RESPONSE },
};

const list = {
  summary: 'Replays, the newest first',
  operationId: 'replays',
  querystring: Type.Object(
    { limit: Type.Optional(LimitSchema('replays', REPLAYS_MAX, REPLAYS_DEFAULT)) },
    { additionalProperties: false },
  ),
  response: { 200: ReplaysDocument, ...PROBLEM_RESPONSES },
};

const one = {
  summary: 'How far a replay is, or what came of it',
  operationId: 'replay',
  params: Type.Object({ id: Type.String({ description: 'percent-encoded: / is %2F' }) }),
  response: { 200: ReplayDocument, ...PROBLEM_RESPONSES },
};

/** `POST /replays`, `GET /replays` and `GET /replays/{id}`; without `control` all are `not_ready`. */
export function replaysRoute(api: Api, reader: Reader, control?: ReplayControl): void {
  api.post('/replays', { schema: start }, async (request, reply) => {
    const started = await startReplay(control, reader, request.body);
    void reply.header('location', `/replays/${encodeURIComponent(started.id)}`);
    return reply.code(202).send(started);
  });
  api.get('/replays', { schema: list }, async (request) =>
    answerReplays(control, request.query.limit),
  );
  api.get('/replays/:id', { schema: one }, async (request) =>
    answerReplay(control, request.params.id),
  );
}
