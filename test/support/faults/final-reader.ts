import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { TimeRange } from '../../../core/range.js';
import { HOUR_MS } from '../../../core/time.js';
import { openReadPool } from '../../../store/read/connection.js';
import { readTimeseries } from '../../../store/read/timeseries.js';

const EVERY_MS = 150;

/** What a range reads before and after one publication: clicks per hour, of one cell of each hour. */
export interface Truths {
  readonly range: TimeRange;
  readonly before: number;
  readonly after: number;
  readonly revision: number;
  /** Set by the reader once it has seen the new one. */
  isPublished: boolean;
}

/**
 * A reader beside the faults, through the statement that serves time series. A range must read as
 * before or as after, in all of its hours, and never again as before (I7, I9).
 */
export class FinalReader {
  looks = 0;
  readonly wrong: string[] = [];
  /** Postgres is being crashed: it gives no answers, which is no wrong answer. */
  mayFail = false;
  private readonly pool: pg.Pool;
  private readonly watched = new Set<Truths>();
  private stopped = false;

  constructor(
    url: string,
    private readonly cell: { readonly adId: string; readonly filter: string },
  ) {
    this.pool = openReadPool({
      url,
      applicationName: 'test-reader',
      max: 1,
      statementTimeoutMs: 5_000,
      connectTimeoutMs: 2_000,
    });
  }

  watch(truths: Truths): void {
    this.watched.add(truths);
  }

  /** A last look: the range must read as after. */
  async leave(truths: Truths): Promise<void> {
    await this.look(truths);
    this.watched.delete(truths);
    if (!truths.isPublished) this.wrong.push(`${nameOf(truths)}: published, but reads as before`);
  }

  async run(): Promise<void> {
    while (!this.stopped) {
      for (const truths of this.watched) {
        const excused = this.mayFail;
        await this.look(truths).catch((error: unknown) => {
          if (!excused && !this.mayFail) this.wrong.push(`${nameOf(truths)}: ${String(error)}`);
        });
      }
      await delay(EVERY_MS);
    }
    await this.pool.end();
  }

  stop(): void {
    this.stopped = true;
  }

  private async look(truths: Truths): Promise<void> {
    const { range, before, after, revision } = truths;
    const answer = await readTimeseries(this.pool, { ...this.cell, ...range, granularity: 'hour' });
    this.looks++;
    const hours = (range.toMs - range.fromMs) / HOUR_MS;
    const counts = answer.buckets.map(({ count }) => count);
    const reads = (count: number): boolean =>
      counts.length === hours && counts.every((found) => found === count);
    const revisions = new Set(answer.buckets.map((bucket) => bucket.revision));
    if (revisions.size === 1 && revisions.has(revision) && reads(after)) truths.isPublished = true;
    else if (truths.isPublished || revisions.has(revision) || !reads(before)) {
      this.wrong.push(
        `${nameOf(truths)}: ${JSON.stringify(counts)} at revisions ${[...revisions].join()}`,
      );
    }
  }
}

function nameOf({ range, before, after }: Truths): string {
  const from = new Date(range.fromMs).toISOString();
  return `${from}, from ${String(before)} to ${String(after)} clicks`;
}
