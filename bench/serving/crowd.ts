import { setTimeout as sleep } from 'node:timers/promises';
import type { DayReader } from './readers.js';

/** What one reader met: how long each answer took, and at which publications. */
export interface Met {
  readonly name: string;
  readonly ms: number[];
  readonly publications: Set<number>;
}

/**
 * Readers that ask again and again, each on its own, until they are told to stop. The first wrong or
 * failed answer of any ends it for all.
 */
export class Crowd {
  private running = true;
  private met: Met[];
  private readonly loops: Promise<void>[];

  /** @param pauseMs of a reader between two questions: without any, they only measure the machine */
  constructor(
    readers: readonly DayReader[],
    private readonly pauseMs: number,
  ) {
    this.met = readers.map(({ name }) => emptyMet(name));
    this.loops = readers.map((reader, i) => this.loop(reader, i));
    for (const loop of this.loops) loop.catch(() => (this.running = false));
  }

  /** Resolves when every reader has asked and been answered since now. */
  async round(): Promise<void> {
    const before = this.met.map(({ ms }) => ms.length);
    // The answer under way may have been asked before: the one after it was not.
    const done = () => this.met.every(({ ms }, i) => ms.length >= before[i]! + 2);
    while (this.running && !done()) await sleep(1);
    if (!this.running) await this.stop();
  }

  /** What was met since the last time, and begins anew. */
  next(): Met[] {
    const { met } = this;
    this.met = met.map(({ name }) => emptyMet(name));
    return met;
  }

  /** @throws Error the first wrong or failed answer */
  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.loops);
  }

  private async loop(reader: DayReader, index: number): Promise<void> {
    while (this.running) {
      const startMs = performance.now();
      const publication = await reader.ask();
      const met = this.met[index]!;
      met.ms.push(performance.now() - startMs);
      met.publications.add(publication);
      await sleep(this.pauseMs);
    }
  }
}

function emptyMet(name: string): Met {
  return { name, ms: [], publications: new Set() };
}
