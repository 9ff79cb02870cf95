import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TruecountError } from '../core/errors.js';

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

  /**
   * Holds an answer until it is written or its connection has ended: a client may read slowly. It
   * is not refused any more; others are, until it is given back. (An answer that waits behind
   * another on its connection does not hear of the connection's end: Node tells only the first.)
   */
  holdAnswer(bytes: number, socket: Socket, answer: ServerResponse): void {
    if (socket.destroyed) return;
    this.#held += bytes;
    const ended = (): void => {
      this.#held -= bytes;
      answer.off('finish', ended);
      socket.off('close', ended);
    };
    answer.once('finish', ended);
    socket.setMaxListeners(0).once('close', ended);
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
