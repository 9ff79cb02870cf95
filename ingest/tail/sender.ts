import { setTimeout as delay } from 'node:timers/promises';
import { TruecountError } from '../../core/errors.js';
import type { SourceRecord } from '../formats/source-item.js';
import type { ClickProducer } from '../producer.js';

/** Without an acknowledgement for so long the broker counts as away. */
const SILENCE_MS = 5_000;
/** A broker that has not answered the first question for so long counts as away, too. */
export const FIRST_SILENCE_MS = 2_000;
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
  private first: Promise<void> | undefined;
  private hasAnswered = false;

  constructor(
    private readonly connect: () => Promise<ClickProducer>,
    private readonly events: SenderEvents,
  ) {}

  /** Why nothing gets through now. */
  problem(): string | undefined {
    return this.outage?.why ?? (this.hasAnswered ? undefined : 'Kafka has not answered yet');
  }

  /**
   * First contact, once `accepts` has resolved; to be called once, before `send`. Resolves when
   * there is one: a broker that is away is waited for.
   * @throws what `accepts` throws, TruecountError `not_found` if the first answer is that there is
   * no such topic, or the reason of the signal.
   */
  begin(accepts: () => Promise<void>, signal: AbortSignal): Promise<void> {
    this.first = this.makeContact(accepts, signal);
    return this.first;
  }

  private async makeContact(accepts: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const silence = setTimeout(() => {
      this.away(`no answer for ${String(FIRST_SILENCE_MS)} ms`);
    }, FIRST_SILENCE_MS);
    try {
      await abortable(accepts(), signal);
      for (let attempt = 1; ; attempt++) {
        try {
          this.producer = await abortable(this.connect(), signal);
          break;
        } catch (error) {
          signal.throwIfAborted();
          if (attempt === 1 && isWithoutTopic(error)) throw error;
          this.away(error instanceof Error ? error.message : String(error));
        }
        const pauseMs = Math.min(PAUSE_MIN_MS * 2 ** attempt, PAUSE_MAX_MS);
        await delay(pauseMs, undefined, { signal });
      }
    } finally {
      clearTimeout(silence);
    }
    this.hasAnswered = true;
    this.back();
  }

  /**
   * Resolves when all in-sync replicas have the records; rejects only when `signal` is aborted, or
   * as `begin` does.
   */
  async send(records: readonly SourceRecord[], signal: AbortSignal): Promise<void> {
    await abortable(Promise.resolve(this.first), signal);
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

function isWithoutTopic(error: unknown): boolean {
  return error instanceof TruecountError && error.code === 'not_found';
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
