import { Context } from '@temporalio/activity';

/** Well below the shortest heartbeat timeout (15 s). */
const BEAT_MS = 4_000;

/**
 * Runs something long and tells the server every few seconds that this worker is alive: so that
 * another takes over when it dies, and so that a cancellation gets through. `report` replaces what
 * is told, a small JSON value that people read.
 */
export async function withSignsOfLife<T>(
  work: (report: (details: unknown) => void) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  let details: unknown = null;
  const beat = (): void => {
    context.heartbeat(details);
  };
  const timer = setInterval(beat, BEAT_MS);
  try {
    beat();
    return await work((next) => {
      details = next;
      beat();
    });
  } finally {
    clearInterval(timer);
  }
}
