import { randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TruecountError } from '../../core/errors.js';
import { onlyLooks, type Collector } from '../collector.js';
import type { Link } from '../links.js';
import { withContext } from '../problem.js';

/** What a GET says of its click. */
export type Visit = Omit<Link, 'to' | 'exp'>;

/** The same with the id and time that it is counted under. */
type NamedVisit = Visit & { readonly eventId: string };

/**
 * Counts the click of a link that is followed, or of a pixel that is shown, if it is one.
 *
 * A click that is refused or not acknowledged is given back with its id and time, as `event_ids` and
 * as `retry`, the query (`?…`) under which it is the same click: whoever tries that is counted once,
 * though the first try may be on the log. Browsers that follow a link try it by themselves (`Refresh`).
 * @throws TruecountError `clicks_rejected` where it is none; `overloaded`, `dependency_unreachable`
 */
export async function visit(
  collector: Collector,
  request: FastifyRequest,
  { asked, retryQuery }: { asked: Visit; retryQuery: (named: NamedVisit) => string },
): Promise<void> {
  if (onlyLooks(request)) {
    collector.metrics.tell('uncounted', 1);
    return;
  }
  const named = nameOf(asked, Date.now());
  const { eventId, timestamp } = named;
  await collector.visit(request, clickOf(named)).catch((error: unknown) => {
    const isRefused = error instanceof TruecountError && RETRIED.includes(error.code);
    if (!isRefused) throw error;
    const retry = `?${retryQuery(named)}`;
    const event_ids = [{ index: 0, event_id: eventId, timestamp }];
    throw withContext(error, { event_ids, retry }, RETRY_HINT);
  });
}

const RETRIED: readonly string[] = ['overloaded', 'dependency_unreachable'];
const RETRY_HINT =
  'follow `retry` a little later: it has the id and the time of this click, which then counts once';

/** Has the browser of whoever followed a link try the same click again. */
export function refresh(reply: FastifyReply, error: unknown): void {
  const retry = error instanceof TruecountError ? error.context['retry'] : undefined;
  if (typeof retry === 'string') void reply.header('refresh', `1; url=${retry}`);
}

/**
 * One with an id of its own needs a time of its own, as everywhere; without an id, following the
 * link again is another click, at its own time.
 */
function nameOf(asked: Visit, nowMs: number): NamedVisit {
  const { eventId, timestamp } = asked;
  if (eventId !== undefined) return { ...asked, eventId };
  return { ...asked, eventId: randomUUID(), timestamp: timestamp ?? String(nowMs) };
}

function clickOf({ adId, eventId, timestamp, fields }: NamedVisit): Record<string, unknown> {
  const isEpoch = timestamp !== undefined && /^\d{1,15}$/.test(timestamp);
  return {
    ...Object.fromEntries(fields),
    event_id: eventId,
    ad_id: adId,
    timestamp: isEpoch ? Number(timestamp) : timestamp, // undefined: left out
  };
}
