import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { Load } from './load.js';

const EVERY_MS = 200;

/**
 * A reader beside the faults. In each snapshot the cells, the conservation rows and the positions
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
    const { rows } = await this.pool.query<Record<string, string>>(
      `select (select coalesce(sum(n), 0) from live_cells, unnest(counts) n
                where filter = '') as total,
              (select coalesce(sum(counted), 0) from flushes) as counted,
              (select coalesce(sum(to_offset - from_offset), 0) from flushes) as ranges,
              (select coalesce(sum(next_offset), 0) from stream_progress) as positions`,
    );
    const { distinct } = this.load;
    const [total, counted] = [Number(rows[0]!['total']), Number(rows[0]!['counted'])];
    const [ranges, positions] = [Number(rows[0]!['ranges']), Number(rows[0]!['positions'])];
    const say = (what: string): void => void this.wrong.push(what);
    if (total !== counted) say(`cells of ${String(total)} clicks, flushes of ${String(counted)}`);
    if (ranges !== positions) say(`ranges of ${String(ranges)}, positions ${String(positions)}`);
    if (total < this.total) say(`the total fell from ${String(this.total)} to ${String(total)}`);
    if (total > distinct) say(`${String(total)} counted, ${String(distinct)} sent`);
    this.total = total;
    this.counted = positions;
    this.looks++;
  }
}
