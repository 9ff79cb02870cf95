import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from 'pino';
import { isPassing, openSession } from '../store/session.js';
import type { SessionOptions } from '../store/session.js';

const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 3_000;
const PROBLEM_AFTER_MS = 10_000;

/**
 * The worker's one session, opened when needed and given up at the first error. Work is tried until
 * it succeeds or fails for good: while Postgres is away the stream waits here, and Kafka holds the
 * clicks.
 */
export class Database {
  private client: pg.Client | null = null;
  private closed = false;
  private failing: {
    readonly sinceMs: number;
    readonly what: string;
    readonly why: string;
  } | null = null;

  constructor(
    private readonly options: SessionOptions,
    private readonly log: Logger,
    private readonly onRetry: () => void,
  ) {}

  async run<T>(what: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
    for (let backoffMs = BACKOFF_MIN_MS; ; backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS)) {
      try {
        this.client ??= await openSession(this.options);
        const result = await work(this.client);
        this.failing = null;
        return result;
      } catch (error) {
        this.drop();
        this.failing ??= { sinceMs: performance.now(), what, why: String(error) };
        if (this.closed || !isPassing(error)) throw error;
        this.onRetry();
        this.log.warn({ err: error, backoffMs }, `${what} failed; Postgres will be tried again`);
        await delay(backoffMs);
      }
    }
  }

  /** What has failed for longer than a restart of Postgres should take. */
  problem(): string | undefined {
    if (this.failing === null) return undefined;
    const { sinceMs, what, why } = this.failing;
    const forMs = performance.now() - sinceMs;
    if (forMs < PROBLEM_AFTER_MS) return undefined;
    return `${what} has failed for ${String(Math.round(forMs / 1000))} s: ${why}`;
  }

  /** Ends the session; work in progress fails instead of trying again. */
  close(): void {
    this.closed = true;
    this.drop();
  }

  private drop(): void {
    const { client } = this;
    this.client = null;
    // Not waited for: where the network has gone silent, the goodbye is never answered.
    void client?.end().catch(() => undefined);
  }
}
