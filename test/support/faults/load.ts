import { Kafka, Partitioners, logLevel } from 'kafkajs';
import type { Producer } from 'kafkajs';
import { setTimeout as delay } from 'node:timers/promises';
import { HOUR_MS } from '../../../core/time.js';

/** First event hour of the load. */
export const LOAD_START_MS = Date.UTC(2025, 5, 1);
const ADS = 24;
const STEP_MS = 100;
/** Clicks after which the bulk of the load moves on to the next event hour. */
const CLICKS_PER_HOUR = 15_000;

export interface LoadOptions {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly clicksPerSecond: number;
  /** Event hours; all of them get clicks all the time, one of them most. */
  readonly hours: number;
  /** False: too much is waiting to be counted, so the load pauses. */
  readonly mayRun: () => boolean;
}

interface LoadRecord {
  readonly key: string;
  readonly value: Buffer | null;
}

/**
 * A continuous load: clicks of several hours at once, each a function of its number, so any of them
 * can be sent again; 5 % are sent again soon, 3 % much later, 0.5 % are no clicks. Sends in order
 * and for ever: a batch whose fate is unknown is sent again, which makes duplicates like any retry.
 */
export class Load {
  /** Distinct clicks given to the producer so far: no true count is above it. */
  distinct = 0;
  records = 0;
  private random = mix(1);
  private stopped = false;
  private producer: Producer | null = null;
  private queue: { records: LoadRecord[]; done: () => void }[] = [];

  constructor(private readonly options: LoadOptions) {}

  async run(): Promise<void> {
    while (!this.stopped) {
      const startedMs = performance.now();
      const extra = this.queue.splice(0);
      const n = (this.options.clicksPerSecond * STEP_MS) / 1000;
      const records = extra.flatMap((entry) => entry.records);
      if (this.options.mayRun()) for (let i = 0; i < n; i++) records.push(this.next());
      if (records.length > 0) await this.send(records);
      for (const entry of extra) entry.done();
      await delay(Math.max(0, startedMs + STEP_MS - performance.now()));
    }
    await this.producer?.disconnect().catch(() => undefined);
  }

  stop(): void {
    this.stopped = true;
  }

  /** Sends `n` clicks never sent before; their numbers, once the broker has them. */
  async sendFresh(n: number): Promise<number[]> {
    const numbers = Array.from({ length: n }, () => this.distinct++);
    await this.sendAgain(numbers);
    return numbers;
  }

  /** Sends clicks by their numbers; resolves once the broker has them. */
  sendAgain(numbers: readonly number[]): Promise<void> {
    return new Promise((done) => {
      this.queue.push({ records: numbers.map((n) => this.click(n)), done });
    });
  }

  private next(): LoadRecord {
    const dice = this.rand() % 1000;
    if (this.distinct === 0) return this.click(this.distinct++);
    if (dice < 5) return malformed(this.rand());
    if (dice < 55) return this.click(Math.max(0, this.distinct - 1 - (this.rand() % 300)));
    if (dice < 85) return this.click(this.rand() % this.distinct);
    return this.click(this.distinct++);
  }

  private click(n: number): LoadRecord {
    const bits = mix(n + 7);
    const bulk = bits % 10 < 6;
    const at = bulk ? Math.floor(n / CLICKS_PER_HOUR) : (bits >>> 4) % this.options.hours;
    const hourMs = LOAD_START_MS + (at % this.options.hours) * HOUR_MS;
    const eventMs = hourMs + (mix(n + 13) % HOUR_MS);
    const adId = `ad-${String(Math.floor(ADS * (((bits >>> 8) % 997) / 997) ** 2))}`;
    const country = ['US', 'UK', 'GB', undefined][(bits >>> 12) % 4];
    const value = {
      event_id: `click-${String(n)}`,
      ad_id: adId,
      timestamp: n % 3 === 0 ? new Date(eventMs).toISOString() : eventMs,
      user_id: `user-${String(bits % 10_000)}`,
      ...(country === undefined ? {} : { country }),
      device: n % 2 === 0 ? 'mobile' : 'desktop',
      ad_format: n % 5 === 0 ? 'video' : 'banner',
    };
    return { key: adId, value: Buffer.from(JSON.stringify(value)) };
  }

  private async send(messages: LoadRecord[]): Promise<void> {
    for (;;) {
      try {
        this.producer ??= await this.connect();
        await this.producer.send({ topic: this.options.topic, acks: -1, messages });
        this.records += messages.length;
        return;
      } catch {
        await this.producer?.disconnect().catch(() => undefined);
        this.producer = null;
        if (this.stopped) return;
        await delay(STEP_MS);
      }
    }
  }

  private async connect(): Promise<Producer> {
    const kafka = new Kafka({ brokers: [...this.options.brokers], logLevel: logLevel.NOTHING });
    const producer = kafka.producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      idempotent: true,
      maxInFlightRequests: 1,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 },
    });
    await producer.connect();
    return producer;
  }

  private rand(): number {
    this.random = mix(this.random + 1);
    return this.random;
  }
}

/** Records that are no clicks for reasons a naive reader sees as well. */
function malformed(random: number): LoadRecord {
  const kinds = [
    null,
    ' ',
    '{"event_id":"broken',
    '{"event_id":"no-ad","timestamp":1748736000000}',
    '{"event_id":7,"ad_id":"ad-1","timestamp":1748736000000}',
    '{"event_id":"when","ad_id":"ad-1","timestamp":"yesterday"}',
    '[1]',
  ];
  const text = kinds[random % kinds.length]!;
  return { key: `bad-${String(random % 16)}`, value: text === null ? null : Buffer.from(text) };
}

/** A 32 bit hash of an integer (lowbias32 of Chris Wellons' hash prospector). */
function mix(n: number): number {
  let x = n | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}
