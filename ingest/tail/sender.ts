import { setTimeout as delay } from 'node:timers/promises';
import { TruecountError } from '../../core/errors.js';
import type { SourceRecord } from '../formats/source-item.js';
import type { ClickProducer } from '../producer.js';

/** Without an acknowledgement for so long the broker counts as away. */
const SILENCE_MS = 5_000;
const PAUSE_MIN_MS = 250;
const PAUSE_MAX_MS = 30_000;

export interface SenderEvents {
  /** Kafka is away, or refuses; told once an outage. */
  outageBegan(why: string): void;
  outageEnded(ms: number): void;
}

/**
 * Sends records until the broker has them, whatever that takes. After a failure a new producer
 * begins: the old one's sequence numbers are no longer to be relied on. What was stored before the
 * failure is then stored twice, with the same ids.
 */
export class Sender {
  private producer: ClickProducer | undefined;
  private outage: { readonly why: string; readonly sinceMs: number } | undefined;

  constructor(
    private readonly connect: () => Promise<ClickProducer>,
    private readonly events: SenderEvents,
  ) {}

  /** Why nothing gets through now. */
  problem(): string | undefined {
    return this.outage?.why;
  }

  /**
   * First contact: a broker that is away is for `send` to wait for.
   * @throws TruecountError `not_found` without the topic.
   */
  async begin(): Promise<void> {
    try {
      this.producer = await this.connect();
    } catch (error) {
      if (error instanceof TruecountError && error.code === 'not_found') throw error;
    }
  }

  /** Resolves when all in-sync replicas have the records; rejects only when `signal` is aborted. */
  async send(records: readonly SourceRecord[], signal: AbortSignal): Promise<void> {
    for (let pauseMs = PAUSE_MIN_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
      const silence = setTimeout(() => {
        this.away(`no acknowledgement for ${String(SILENCE_MS)} ms`);
      }, SILENCE_MS);
      try {
        await abortable(this.tryToSend(records), signal);
        this.back();
        return;
      } catch (error) {
        signal.throwIfAborted();
        this.away(error instanceof Error ? error.message : String(error));
        await this.close();
      } finally {
        clearTimeout(silence);
      }
      await delay(pauseMs, undefined, { signal });
    }
  }

  async close(): Promise<void> {
    const { producer } = this;
    this.producer = undefined;
    await producer?.close().catch(() => undefined);
  }

  private async tryToSend(records: readonly SourceRecord[]): Promise<void> {
    this.producer ??= await this.connect();
    for (const { key, bytes } of records) {
      const turn = this.producer.add(key, bytes);
      if (turn !== undefined) await turn;
    }
    await this.producer.flush();
  }

  private away(why: string): void {
    if (this.outage !== undefined) return;
    this.outage = { why, sinceMs: performance.now() };
    this.events.outageBegan(why);
  }

  private back(): void {
    if (this.outage === undefined) return;
    const ms = Math.round(performance.now() - this.outage.sinceMs);
    this.outage = undefined;
    this.events.outageEnded(ms);
  }
}

/** The promise, or a rejection as soon as the signal is aborted. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', stop);
  });
  try {
    signal.throwIfAborted();
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
    promise.catch(() => undefined);
  }
}
