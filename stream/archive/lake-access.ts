import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { TruecountError } from '../../core/errors.js';

const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 5_000;
const PROBLEM_AFTER_MS = 10_000;

/**
 * Tries what writes into the lake until it succeeds or fails for good: while the lake is away or
 * full the archive waits here, and Kafka holds the clicks.
 */
export class LakeAccess {
  private failing: { readonly sinceMs: number; readonly why: string } | null = null;

  constructor(
    private readonly log: Logger,
    private readonly onRetry: () => void,
  ) {}

  async run<T>(what: string, work: () => Promise<T>): Promise<T> {
    for (let backoffMs = BACKOFF_MIN_MS; ; backoffMs = Math.min(2 * backoffMs, BACKOFF_MAX_MS)) {
      try {
        const result = await work();
        this.failing = null;
        return result;
      } catch (error) {
        if (!(error instanceof TruecountError) || error.code !== 'lake_unavailable') throw error;
        this.failing ??= { sinceMs: performance.now(), why: error.message };
        this.onRetry();
        this.log.warn({ err: error, backoffMs }, `${what} failed; the lake will be tried again`);
        await delay(backoffMs);
      }
    }
  }

  /** What has failed for more than a moment. */
  problem(): string | undefined {
    if (this.failing === null) return undefined;
    const forMs = performance.now() - this.failing.sinceMs;
    if (forMs < PROBLEM_AFTER_MS) return undefined;
    return `the lake has failed for ${String(Math.round(forMs / 1000))} s: ${this.failing.why}`;
  }
}
