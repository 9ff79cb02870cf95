import type { ChildService } from '../../runtime/child-service.js';
import type { Stage } from './stage.js';

/** Shares of the load at which a worker is killed, and the other frozen. */
const KILL_AT = 0.15;
const FREEZE_AT = 0.4;
const SETTLED = 0.03;

/**
 * What goes wrong in the demo: a worker killed with -9, the other frozen until it has lost its
 * partitions, and woken. Each waits for progress of what was committed, so that it hits work.
 */
export class Faults {
  private finished = false;

  constructor(
    private readonly stage: Stage,
    private readonly expected: number,
    private readonly tell: (text: string) => void,
  ) {}

  /** No more records will come: what waits for progress goes on. */
  allSent(): void {
    this.finished = true;
  }

  async run(): Promise<void> {
    const [first, second] = this.stage.workers as [ChildService, ChildService];
    await this.progress(this.expected * KILL_AT);
    await this.kill(first);
    await this.progress(this.expected * FREEZE_AT);
    await this.freeze(second, first);
  }

  private async kill(worker: ChildService): Promise<void> {
    const pid = worker.state().process?.pid;
    const committed = await this.stage.committed();
    this.stage.signal(worker, 'SIGKILL');
    this.tell(`at ${committed.toLocaleString('en')} worker 1 is killed (-9)`);
    const again = (): boolean => worker.ready && worker.state().process?.pid !== pid;
    await this.stage.until('worker 1 is back', again);
    await this.stage.until('worker 1 owns partitions', () => this.owns(worker, 1));
    this.tell(
      `at ${(await this.stage.committed()).toLocaleString('en')} worker 1 is back, its memory rebuilt from the log`,
    );
  }

  private async freeze(frozen: ChildService, other: ChildService): Promise<void> {
    await this.stage.until('worker 2 owns partitions', () => this.owns(frozen, 1));
    // Not in the middle of joining, when it holds nothing.
    await this.progress((await this.stage.committed()) + this.expected * SETTLED);
    const committed = await this.stage.committed();
    this.stage.signal(frozen, 'SIGSTOP');
    this.tell(`at ${committed.toLocaleString('en')} worker 2 is frozen in the middle of its work`);
    try {
      const partitions = this.stage.config.partitions;
      await this.stage.until('worker 1 took over', () => this.owns(other, partitions));
      await this.progress((await this.stage.committed()) + 1);
    } finally {
      this.stage.signal(frozen, 'SIGCONT');
    }
    this.tell(
      `at ${(await this.stage.committed()).toLocaleString('en')} worker 2 wakes up and tries to write what it held`,
    );
    await this.stage.until('worker 2 found out', async () => {
      return (
        (await this.stage.metric(frozen, 'truecount_flush_refused_total')) > 0 ||
        (await this.owns(frozen, 1))
      );
    });
    const refused = await this.stage.metric(frozen, 'truecount_flush_refused_total');
    this.tell(
      refused > 0
        ? 'the fence refused its flush: it threw its state away and joined again'
        : 'it held nothing unwritten, saw that it was replaced, and joined again',
    );
  }

  private async progress(records: number): Promise<void> {
    await this.stage.until(
      `${String(records)} records committed`,
      async () => this.finished || (await this.stage.committed()) >= records,
    );
  }

  private async owns(worker: ChildService, atLeast: number): Promise<boolean> {
    const { rows } = await this.stage.pool.query<{ n: string }>(
      'select count(*) as n from stream_progress where owner = $1',
      [this.stage.owner(worker)],
    );
    return Number(rows[0]!.n) >= atLeast;
  }
}
