import { MINUTES_PER_HOUR } from '../../../core/time.js';

/** What became of the clicks of an hour, by event minute: 60 numbers each. */
export interface Flow {
  readonly received: readonly number[];
  readonly counted: readonly number[];
  readonly duplicate: readonly number[];
  readonly filtered: readonly number[];
  /** By reason; one without a click is absent. */
  readonly filteredBy: Readonly<Record<string, readonly number[]>>;
}

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

function zeros(): number[] {
  return new Array<number>(MINUTES_PER_HOUR).fill(0);
}
