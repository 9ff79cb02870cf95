import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { Load } from './load.js';
import type { Subject } from './subject.js';

const EVERY_MS = 200;

/**
 * A reader beside the faults. In each snapshot the cells (or the files of the manifest), the conservation rows and the positions
 * must tell the same (I2), the total must not have fallen, and never be above the distinct clicks
 * that were sent by then.
 */
export class Watcher {
  /** Offsets counted as of the last look. */
  counted = 0;
  looks = 0;
  readonly wrong: string[] = [];
  private stopped = false;
  private total = 0;

  constructor(
    private readonly pool: pg.Pool,
    private readonly load: Load,
    private readonly subject: Subject,
  ) {}

  async run(): Promise<void> {
    while (!this.stopped) {
      // A database that is being restarted has nothing to say.
      await this.look().catch(() => undefined);
      await delay(EVERY_MS);
    }
  }

  stop(): void {
    this.stopped = true;
  }

  private async look(): Promise<void> {
    const { total, counted, ranges, positions } = await this.subject.look(this.pool);
    const { distinct } = this.load;
    const say = (what: string): void => void this.wrong.push(what);
    if (total !== counted) say(`results of ${String(total)} clicks, ranges of ${String(counted)}`);
    if (ranges !== positions) say(`ranges of ${String(ranges)}, positions ${String(positions)}`);
    if (total < this.total) say(`the total fell from ${String(this.total)} to ${String(total)}`);
    if (this.subject.countsDistinct && total > distinct)
      say(`${String(total)} counted, ${String(distinct)} sent`);
    this.total = total;
    this.counted = positions;
    this.looks++;
  }
}
