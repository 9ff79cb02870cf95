import { zeros } from '../../../batch/flow.js';
import type { Flow } from '../../../batch/task.js';

/** Adds up clicks by what became of them. */
export class Books {
  private readonly counts = {
    received: zeros(),
    counted: zeros(),
    duplicate: zeros(),
    filtered: zeros(),
  };
  private readonly reasons = new Map<string, number[]>();

  add(fate: 'counted' | 'duplicate', minute: number, count = 1): void {
    this.counts[fate][minute]! += count;
    this.counts.received[minute]! += count;
  }

  filtered(reason: string, minute: number, count = 1): void {
    if (count === 0) return;
    const known = this.reasons.get(reason) ?? zeros();
    this.reasons.set(reason, known);
    known[minute]! += count;
    this.counts.filtered[minute]! += count;
    this.counts.received[minute]! += count;
  }

  get flow(): Flow {
    return { ...this.counts, filteredBy: Object.fromEntries(this.reasons) };
  }
}
