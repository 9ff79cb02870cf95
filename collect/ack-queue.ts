import { TruecountError } from '../core/errors.js';
import { overloaded } from './overloaded.js';
import type { ClickSink } from './broker-link.js';
import type { AcceptedClick } from './judge.js';

export interface AckQueueOptions {
  /** Clicks that wait at most, those in flight not counted. */
  readonly clicksMax: number;
  /** How long the first click of a batch waits for others. */
  readonly lingerMs: number;
  /** A request whose clicks are not acknowledged by then fails. */
  readonly ackTimeoutMs: number;
  /** Told of each batch that was acknowledged: how many clicks, and how long it took. */
  readonly onAcked: (clicks: number, tookMs: number) => void;
  /** Told of the end of each outage: how long it was. */
  readonly onOutage: (tookMs: number) => void;
}

/** The clicks of one request: it waits until all of them are acknowledged. */
interface Ticket {
  open: number;
  readonly deadlineMs: number;
  readonly settle: (error?: TruecountError) => void;
  done: boolean;
}

interface Waiting {
  readonly click: AcceptedClick;
  readonly ticket: Ticket;
}

/** So many clicks fit one send of the producer. */
const BATCH_CLICKS_MAX = 2_000;
const BATCH_BYTES_MAX = 4_000_000;
/**
 * A send that takes longer, or half as long as a request waits, is an outage: new clicks are
 * refused at once instead of waiting.
 */
const STALL_MS_MAX = 2_000;
const SWEEP_MS = 100;
const QUEUE_FULL = 'too many clicks wait to be acknowledged';

/**
 * Between requests and the broker: collects what arrives while a batch is in flight, sends it as
 * the next, and lets each request know when all of its clicks are acknowledged. Bounded: what does
 * not fit is refused, as is everything while the broker is away. Clicks whose request has failed
 * are not sent any more, unless they are in flight already.
 */
export class AckQueue {
  private waiting: Waiting[] = [];
  private tickets: Ticket[] = [];
  private busySinceMs: number | undefined;
  private running = false;
  private readonly stallMs: number;
  private readonly sweeper: NodeJS.Timeout;

  constructor(
    private readonly sink: ClickSink,
    private readonly options: AckQueueOptions,
  ) {
    this.stallMs = Math.min(STALL_MS_MAX, options.ackTimeoutMs / 2);
    this.sweeper = setInterval(() => {
      this.sweep(performance.now());
    }, SWEEP_MS);
    this.sweeper.unref();
  }

  get clicks(): number {
    return this.waiting.length;
  }

  /** Why no click is taken now; undefined when it is. */
  problem(): string | undefined {
    const why = this.sink.problem();
    if (why !== undefined) return why;
    const busyMs = this.busySinceMs === undefined ? 0 : performance.now() - this.busySinceMs;
    return busyMs > this.stallMs ? 'Kafka does not acknowledge' : undefined;
  }

  /** Why not even one click more can wait; undefined where it can. */
  fullness(): string | undefined {
    return this.waiting.length < this.options.clicksMax ? undefined : QUEUE_FULL;
  }

  /**
   * Resolves when all in-sync replicas have the clicks.
   * @throws TruecountError `dependency_unreachable` while the broker is away, `overloaded` where
   * the queue is full: then none of them was sent. `dependency_unreachable` also where the
   * acknowledgement did not come in time (`context.sent`): then some may be on the log.
   */
  async add(clicks: readonly AcceptedClick[]): Promise<void> {
    const why = this.problem();
    if (why !== undefined) throw away(why, false);
    if (this.waiting.length + clicks.length > this.options.clicksMax) {
      throw overloaded(QUEUE_FULL);
    }
    await new Promise<void>((resolve, reject) => {
      const ticket: Ticket = {
        open: clicks.length,
        deadlineMs: performance.now() + this.options.ackTimeoutMs,
        done: false,
        settle: (error) => {
          ticket.done = true;
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      this.tickets.push(ticket);
      for (const click of clicks) this.waiting.push({ click, ticket });
      if (!this.running) void this.run();
    });
  }

  close(): void {
    clearInterval(this.sweeper);
    for (const ticket of this.tickets) {
      if (!ticket.done) ticket.settle(away('the collector stops', true));
    }
    this.waiting = [];
  }

  private async run(): Promise<void> {
    this.running = true;
    while (this.waiting.length > 0) {
      if (this.waiting.length < BATCH_CLICKS_MAX) await pause(this.options.lingerMs);
      const sinceMs = performance.now();
      this.busySinceMs = sinceMs;
      await this.sink.ready();
      const batch = this.take();
      if (batch.length > 0) await this.send(batch);
      this.busySinceMs = undefined;
      const tookMs = performance.now() - sinceMs;
      if (tookMs > this.stallMs) this.options.onOutage(tookMs);
    }
    this.running = false;
  }

  private async send(batch: readonly Waiting[]): Promise<void> {
    const sinceMs = performance.now();
    try {
      await this.sink.send(batch.map(({ click }) => click));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      for (const { ticket } of batch) if (!ticket.done) ticket.settle(away(why, true));
      return;
    }
    this.options.onAcked(batch.length, performance.now() - sinceMs);
    for (const { ticket } of batch) {
      if (--ticket.open === 0 && !ticket.done) ticket.settle();
    }
  }

  private take(): Waiting[] {
    const batch: Waiting[] = [];
    let bytes = 0;
    let taken = 0;
    for (const one of this.waiting) {
      bytes += one.click.value.length;
      if (batch.length === BATCH_CLICKS_MAX || (bytes > BATCH_BYTES_MAX && batch.length > 0)) break;
      taken++;
      if (!one.ticket.done) batch.push(one);
    }
    this.waiting = taken === this.waiting.length ? [] : this.waiting.slice(taken);
    return batch;
  }

  /** Fails what has waited too long. Tickets are in the order of their deadlines. */
  private sweep(nowMs: number): void {
    let first = 0;
    for (const ticket of this.tickets) {
      if (!ticket.done && ticket.deadlineMs > nowMs) break;
      if (!ticket.done) ticket.settle(away('Kafka does not acknowledge', true));
      first++;
    }
    if (first > 0) this.tickets = this.tickets.slice(first);
    this.waiting = this.waiting.filter(({ ticket }) => !ticket.done);
  }
}

function away(why: string, sent: boolean): TruecountError {
  return new TruecountError('dependency_unreachable', `the clicks are not acknowledged: ${why}`, {
    hint: 'send the same clicks with the same ids again a little later: they count once',
    context: { sent },
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
