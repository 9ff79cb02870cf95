import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from 'pino';
import { isPassing, openSession } from '../store/session.js';
import type { SessionOptions } from '../store/session.js';

const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 3_000;

/**
 * The worker's one session, opened when needed and given up at the first error. Work is tried until
 * it succeeds or fails for good: while Postgres is away the stream waits here, and Kafka holds the
 * clicks.
 */
export class Database {
  private client: pg.Client | null = null;
  private closed = false;

  constructor(
    private readonly options: SessionOptions,
    private readonly log: Logger,
    private readonly onRetry: () => void,
  ) {}

  async run<T>(what: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
    for (let backoffMs = BACKOFF_MIN_MS; ; backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS)) {
      try {
        this.client ??= await openSession(this.options);
        return await work(this.client);
      } catch (error) {
        this.drop();
        if (this.closed || !isPassing(error)) throw error;
        this.onRetry();
        this.log.warn({ err: error, backoffMs }, `${what} failed; Postgres will be tried again`);
        await delay(backoffMs);
      }
    }
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
