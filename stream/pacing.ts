import { CATCH_UP_FACTOR, FLUSH_SHARE, FLUSH_WAIT_MAX_MS } from './options.js';

export interface Load {
  /** Since the last flush. */
  readonly elapsedMs: number;
  readonly lastFlushMs: number;
  /** The buffer has reached one of its bounds. */
  readonly full: boolean;
  /** Records that the log holds beyond what was read. */
  readonly lag: number;
}

/**
 * When to flush. Sizes bound memory whatever happens; time bounds staleness. A worker that keeps up
 * flushes every `flushIntervalMs`; one that is far behind serves nobody by small flushes and folds
 * longer; and where Postgres is slow, flushes become fewer and larger by themselves.
 */
export function flushIsDue(
  load: Load,
  limits: { readonly flushIntervalMs: number; readonly flushClicksMax: number },
): boolean {
  if (load.full) return true;
  const behind = load.lag > limits.flushClicksMax;
  const intervalMs = limits.flushIntervalMs * (behind ? CATCH_UP_FACTOR : 1);
  const shareMs = Math.min(FLUSH_SHARE * load.lastFlushMs, FLUSH_WAIT_MAX_MS);
  return load.elapsedMs >= Math.max(intervalMs, shareMs);
}
