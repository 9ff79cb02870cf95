import { setMaxListeners } from 'node:events';
import type { Client } from '@temporalio/client';

/**
 * Runs `work` so that its calls to Temporal end when `detached` is aborted. For every call the client
 * adds a listener to the signal it is given and never takes it away (@temporalio/client 1.x,
 * connection.ts): on one signal for all runs these would grow with each run and each long poll. So the
 * calls of each `work` have a signal of their own, which goes when they do.
 */
export async function endingWith<T>(
  client: Pick<Client, 'withAbortSignal'>,
  detached: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const own = AbortSignal.any([detached]);
  setMaxListeners(0, own); // a run of hours polls many times
  return client.withAbortSignal(own, work);
}
