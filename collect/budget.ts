import { TruecountError } from '../core/errors.js';

/** Seconds after which a client that was refused for memory may try again. */
export const RETRY_AFTER_SECONDS = 1;

/** Bytes that requests may hold in memory between them, from the first byte to the answer. */
export class ByteBudget {
  #held = 0;

  constructor(private readonly bytesMax: number) {}

  get held(): number {
    return this.#held;
  }

  /** @throws TruecountError `overloaded` */
  take(bytes: number): void {
    if (this.#held + bytes > this.bytesMax) {
      throw new TruecountError('overloaded', 'too many clicks wait to be acknowledged', {
        hint: 'send the same clicks with the same ids again a little later',
      });
    }
    this.#held += bytes;
  }

  give(bytes: number): void {
    this.#held -= bytes;
  }
}

/** What one request holds of the budget; `release` gives all of it back, once. */
export class Allowance {
  #bytes = 0;

  constructor(private readonly budget: ByteBudget) {}

  /** @throws TruecountError `overloaded` */
  take(bytes: number): void {
    this.budget.take(bytes);
    this.#bytes += bytes;
  }

  release(): void {
    this.budget.give(this.#bytes);
    this.#bytes = 0;
  }
}
