/** How often a worker looks whether something is due although nothing arrives. */
const TICK_MS = 100;

/**
 * The turns of one worker: batches, assignments, flushes and ticks run one at a time, in the order
 * asked for.
 */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();
  private ticker: NodeJS.Timeout | null = null;
  private fail: (error: unknown) => void = () => undefined;

  run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.last.then(work, work);
    this.last = turn.catch(() => undefined);
    return turn;
  }

  /** Does something that nobody waits for; its error ends `untilEnd`. */
  queue(work: () => Promise<void>): void {
    this.run(work).catch((error: unknown) => {
      this.fail(error);
    });
  }

  /** Ticks until `source` ends, or an error of a turn that nobody waits for rejects. */
  async untilEnd(source: Promise<void>, tick: () => Promise<void>): Promise<void> {
    const failed = new Promise<never>((_, reject) => {
      this.fail = reject;
    });
    let waits = false;
    this.ticker = setInterval(() => {
      if (waits) return;
      waits = true;
      this.queue(async () => {
        waits = false;
        await tick();
      });
    }, TICK_MS);
    await Promise.race([source, failed]);
  }

  endTicks(): void {
    if (this.ticker !== null) clearInterval(this.ticker);
  }
}
