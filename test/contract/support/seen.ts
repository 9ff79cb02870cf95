import { expect } from 'vitest';
import { coreEngine } from './engine.js';
import type { Answer, Question } from './engine.js';

/** That the random logs are about something: clicks that count, duplicates, filtered ones. */
export class Seen {
  private counted = 0;
  private duplicate = 0;
  private filtered = 0;

  async answer(question: Question): Promise<Answer> {
    const answer = await coreEngine.count(question);
    for (const n of answer.flow.counted) this.counted += n;
    for (const n of answer.flow.duplicate) this.duplicate += n;
    for (const n of answer.flow.filtered) this.filtered += n;
    return answer;
  }

  expectMany(each: number): void {
    expect(this.counted).toBeGreaterThan(each);
    expect(this.duplicate).toBeGreaterThan(each);
    expect(this.filtered).toBeGreaterThan(each);
  }
}
