import type { FastifyInstance } from 'fastify';
import { TruecountError } from '../../core/errors.js';
import type { Collector } from '../collector.js';
import { clickQuery, readClickQuery } from '../query.js';
import { PIXEL_SCHEMA } from '../schemas.js';
import { visit } from './visit.js';

/** One transparent dot. */
const GIF = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
const ENDING = '.gif';

/** `GET /p/{ad_id}.gif`: counts a click and answers with a picture of one dot. */
export function pixelRoute(app: FastifyInstance, collector: Collector): void {
  app.get<{ Params: { file: string } }>(
    '/p/:file',
    { schema: PIXEL_SCHEMA },
    async (request, reply) => {
      const { file } = request.params;
      if (!file.endsWith(ENDING)) {
        throw new TruecountError('not_found', 'a pixel is /p/{ad_id}.gif');
      }
      const { values, fields } = readClickQuery(request.raw.url ?? '');
      const adId = file.slice(0, -ENDING.length);
      const named = { eventId: values.get('event_id'), timestamp: values.get('timestamp') };
      await visit(collector, request, {
        asked: { adId, fields, ...named },
        retryQuery: clickQuery,
      });
      return reply
        .header('content-type', 'image/gif')
        .header('cross-origin-resource-policy', 'cross-origin')
        .send(GIF);
    },
  );
}
