import fc from 'fast-check';
import { expect } from 'vitest';
import { coreEngine } from './engine.js';
import type { Answer, Engine, Question } from './engine.js';
import { expectSame } from './expectations.js';
import { assertRuns } from './runs.js';

/** A question, and who is asked besides core. */
export interface Asked {
  readonly question: Question;
  readonly engines: readonly Engine[];
}

/** That engines answer random questions as core does, and that the questions were about something. */
export async function expectAgreement(asked: fc.Arbitrary<Asked>, runs: number): Promise<void> {
  const seen = new Seen();
  const property = fc.asyncProperty(asked, async ({ question, engines }) => {
    const wanted = await coreEngine.count(question);
    seen.add(wanted);
    for (const engine of engines) expectSame(await engine.count(question), wanted, engine.name);
  });
  await assertRuns(property, runs);
  seen.expectMany(runs);
}

/** Clicks by what became of them. */
class Seen {
  private counted = 0;
  private duplicate = 0;
  private filtered = 0;

  add({ flow }: Answer): void {
    for (const n of flow.counted) this.counted += n;
    for (const n of flow.duplicate) this.duplicate += n;
    for (const n of flow.filtered) this.filtered += n;
  }

  /** Some questions have hundreds of each, some have none. */
  expectMany(runs: number): void {
    expect(this.counted).toBeGreaterThan(runs);
    expect(this.duplicate).toBeGreaterThan(runs / 10);
    expect(this.filtered).toBeGreaterThan(runs / 10);
  }
}
