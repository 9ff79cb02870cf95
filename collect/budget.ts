import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TruecountError } from '../core/errors.js';
import { overloaded } from './overloaded.js';

/**
 * So long a client may take to send a body, or to read an answer, before it gives way to others when
 * memory is short. Whoever wants to keep others out has to send all of the memory once a second.
 */
const GRACE_MS = 1_000;
/** Room for this many bytes, an ordinary request, is what being ready takes. */
const ORDINARY_BYTES = 64 * 1024;

/** What waits for a client. */
interface Waiting {
  readonly sinceMs: number;
  /** Gives all that it holds back at once. */
  readonly giveWay: () => void;
}

/**
 * Bytes that requests may hold in memory between them, from the first byte to the answer. When they
 * do not suffice, bodies that are still arriving and answers that are not read give way to others,
 * oldest first; what waits for the broker never does.
 */
export class ByteBudget {
  #held = 0;
  /** Oldest first. */
  readonly #waiting = new Set<Waiting>();

  constructor(private readonly bytesMax: number) {}

  get held(): number {
    return this.#held;
  }

  /** Why an ordinary request finds no room now; undefined where it does. */
  problem(): string | undefined {
    if (this.#held + ORDINARY_BYTES <= this.bytesMax) return undefined;
    const [oldest] = this.#waiting;
    if (oldest !== undefined && hasHadItsTime(oldest)) return undefined;
    return 'the memory for requests is full';
  }

  /**
   * `own` is what asks, and does not give way to itself.
   * @throws TruecountError `overloaded`
   */
  take(bytes: number, own?: Waiting): void {
    if (this.#held + bytes > this.bytesMax) this.#makeRoom(bytes, own);
    if (this.#held + bytes > this.bytesMax) throw overloaded('the memory for requests is full');
    this.#held += bytes;
  }

  /** Notes what waits for its client; the function that is given says that it does no more. */
  await(one: Waiting): () => void {
    this.#waiting.add(one);
    return () => {
      this.#waiting.delete(one);
    };
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
      read();
      answer.off('finish', ended);
      socket.off('close', ended);
    };
    const giveWay = (): void => {
      ended();
      socket.destroy();
    };
    const read = this.await({ sinceMs: performance.now(), giveWay });
    answer.once('finish', ended);
    socket.setMaxListeners(0).once('close', ended);
  }

  give(bytes: number): void {
    this.#held -= bytes;
  }

  #makeRoom(bytes: number, own: Waiting | undefined): void {
    for (const one of this.#waiting) {
      if (this.#held + bytes <= this.bytesMax || !hasHadItsTime(one)) return;
      if (one === own) continue;
      this.#waiting.delete(one);
      one.giveWay();
    }
  }
}

/** What one request holds of the budget; `release` gives all of it back, once. */
export class Allowance {
  #bytes = 0;
  #arriving: Waiting | undefined;

  constructor(private readonly budget: ByteBudget) {}

  /** @throws TruecountError `overloaded` */
  take(bytes: number): void {
    this.budget.take(bytes, this.#arriving);
    this.#bytes += bytes;
  }

  /**
   * To be called when the body begins to arrive; the function that is given, when it does no more.
   * `onGivenWay` is told if it took too long: then nothing of it may be kept.
   */
  arriving(onGivenWay: (error: TruecountError) => void): () => void {
    const giveWay = (): void => {
      this.release();
      onGivenWay(overloaded('the body came too slowly while the memory for requests was full'));
    };
    this.#arriving = { sinceMs: performance.now(), giveWay };
    const over = this.budget.await(this.#arriving);
    return () => {
      this.#arriving = undefined;
      over();
    };
  }

  release(): void {
    this.budget.give(this.#bytes);
    this.#bytes = 0;
  }
}

function hasHadItsTime({ sinceMs }: Waiting): boolean {
  return performance.now() - sinceMs > GRACE_MS;
}
