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

/** A task's process must have begun to speak by then. */
const START_MS = 60_000;

/**
 * The same for work in a process of its own: as soon as it has reported, only its reports are signs
 * of life. One that hangs is given up, though this worker is well.
 */
export async function withRelayedSignsOfLife<T>(
  work: (report: (details: unknown) => void) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  const timer = setInterval(() => {
    context.heartbeat({ stage: 'start' });
  }, BEAT_MS);
  const limit = setTimeout(() => {
    clearInterval(timer);
  }, START_MS);
  try {
    return await work((details) => {
      clearInterval(timer);
      context.heartbeat(details);
    });
  } finally {
    clearInterval(timer);
    clearTimeout(limit);
  }
}
