import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { TruecountError } from '../../core/errors.js';
import { onlyLooks, uncached, type Collector } from '../collector.js';
import type { Link } from '../links.js';
import { hasControl, readClickQuery } from '../query.js';
import { LINK_SCHEMA } from '../schemas.js';

/** `GET /c/{ad_id}`: counts a click and leads to where the signed link says. */
export function redirectRoute(app: FastifyInstance, collector: Collector): void {
  app.get<{ Params: { ad_id: string } }>(
    '/c/:ad_id',
    { schema: LINK_SCHEMA },
    async (request, reply) => {
      const query = readClickQuery(request.raw.url ?? '');
      const { values, fields } = query;
      const link: Link = {
        adId: request.params.ad_id,
        to: values.get('to') ?? '',
        exp: values.get('exp'),
        eventId: values.get('event_id'),
        timestamp: values.get('timestamp'),
        fields,
      };
      if (hasControl(link.adId)) {
        throw new TruecountError('invalid_argument', 'the ad_id holds a control character');
      }
      const nowMs = Date.now();
      const location = collector.destinations.check(link.to);
      collector.keys.verify(link, query, nowMs);
      if (onlyLooks(request)) collector.metrics.tell('uncounted', 1);
      else await collector.visit(request, clickOf(link, nowMs));
      return uncached(reply).code(302).header('location', location).send();
    },
  );
}

/**
 * The click of a link or pixel. One with an id of its own needs a time of its own, as everywhere;
 * without an id, following the link again is another click, at its own time.
 */
export function clickOf(
  { adId, eventId, timestamp, fields }: Omit<Link, 'to'>,
  nowMs: number,
): Record<string, unknown> {
  const time = eventId === undefined ? (timestamp ?? nowMs) : timestamp;
  const epoch = typeof time === 'string' && /^\d{1,15}$/.test(time) ? Number(time) : time;
  return {
    ...Object.fromEntries(fields),
    event_id: eventId ?? randomUUID(),
    ad_id: adId,
    timestamp: epoch, // undefined: left out
  };
}
