import type { FastifyInstance } from 'fastify';
import { TruecountError } from '../../core/errors.js';
import { looksAhead, type Collector } from '../collector.js';
import type { Link } from '../links.js';
import { hasControl, readClickQuery } from '../query.js';
import { LINK_SCHEMA } from '../schemas.js';
import { refresh, visit, type Visit } from './visit.js';

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
      const location = collector.destinations.check(link.to);
      collector.keys.verify(link, query, Date.now());
      if (looksAhead(request)) {
        collector.metrics.tell('uncounted', 1);
        throw aheadOfTheClick();
      }
      const retryQuery = (named: Visit): string => collector.keys.sign({ ...link, ...named });
      await visit(collector, request, { asked: link, retryQuery }).catch((error: unknown) => {
        refresh(reply, error);
        throw error;
      });
      return reply.code(302).header('location', location).send();
    },
  );
}

/**
 * Browsers follow a redirect that they have fetched ahead without asking again, `no-store` or not:
 * the click would not come here. After a 503 they ask when the link is clicked.
 */
function aheadOfTheClick(): TruecountError {
  return new TruecountError(
    'prefetch_refused',
    'the link leads on when it is clicked, not before',
    {
      hint: 'nothing was counted; ask without a Purpose of prefetch or prerender to follow it',
    },
  );
}
