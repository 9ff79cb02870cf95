import { TruecountError } from '../../core/errors.js';
import { partitionKey } from '../../core/position.js';
import type { TopicPartition } from '../log-source.js';
import type { KafkajsCluster } from './cluster-hooks.js';
import type { RawPartition } from './fetch-response.js';
import type { SourceLogger } from './settings.js';

const RETRY_MS = 500;
/** A new leader may lag for moments; after this many looks the log really ends below. */
const LOOKS_BEFORE_GIVING_UP = 10;

/** What this needs of its session. */
export interface OutOfRangeSession {
  pause(tp: TopicPartition): void;
  resume(tp: TopicPartition): void;
  /** Whether the partition is still to be read at the refused offset, in this generation. */
  isWanted(raw: RawPartition): boolean;
  jump(tp: TopicPartition, offset: number): void;
  fail(error: TruecountError): void;
  readonly log: SourceLogger;
}

/**
 * Decides what happens when the broker refuses an offset. Below the log's start (retention deleted
 * unread records): go on at the start; the next batch then begins above the expected offset, which
 * the stream records as a loss. Above the log's end: the log was replaced or truncated; that is
 * reported as `log_went_backwards` and nothing is read.
 */
export class OutOfRange {
  private readonly handling = new Set<string>();
  private readonly looks = new Map<string, number>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private stopped = false;

  constructor(
    private readonly cluster: KafkajsCluster,
    private readonly session: OutOfRangeSession,
  ) {}

  stop(): void {
    this.stopped = true;
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }

  handle(raw: RawPartition): void {
    const key = partitionKey(raw);
    if (this.stopped || this.handling.has(key) || !this.session.isWanted(raw)) return;
    this.handling.add(key);
    // The answer comes at once, so asking on would spin.
    this.session.pause(raw);
    this.look(raw, key)
      .catch((error: unknown) => {
        this.session.log.warn({ key, error }, 'could not look up the bounds of the log');
        return true;
      })
      .then((again) => {
        if (again) this.later(raw, key);
        else this.release(raw, key);
      })
      .catch(() => undefined);
  }

  /** True if nothing is decided yet. */
  private async look(raw: RawPartition, key: string): Promise<boolean> {
    const start = await this.bound(raw, true);
    const end = await this.bound(raw, false);
    if (this.stopped || !this.session.isWanted(raw)) return false;
    const wanted = raw.fetchedOffset;
    if (wanted >= start && wanted <= end) {
      this.looks.delete(key);
      return false;
    }
    if (wanted < start) {
      this.session.log.warn({ key, wanted, start }, 'the log no longer holds the wanted offset');
      this.session.jump(raw, start);
      return false;
    }
    const looks = (this.looks.get(key) ?? 0) + 1;
    this.looks.set(key, looks);
    if (looks < LOOKS_BEFORE_GIVING_UP) return true;
    this.session.fail(
      new TruecountError(
        'log_went_backwards',
        `${key} ends at offset ${String(end)}, but it was read up to ${String(wanted)}.`,
        {
          hint: 'The topic was deleted and made again, or lost its tail. Read it under a new name.',
          context: { key, wanted, start, end },
        },
      ),
    );
    return false;
  }

  private async bound(raw: RawPartition, isStart: boolean): Promise<number> {
    const partitions = [{ partition: raw.partition }];
    const answer = await this.cluster.fetchTopicsOffset([
      { topic: raw.topic, partitions, fromBeginning: isStart },
    ]);
    const offset = Number(answer[0]?.partitions[0]?.offset);
    if (!Number.isSafeInteger(offset)) throw new Error('the broker gave no offset');
    return offset;
  }

  private later(raw: RawPartition, key: string): void {
    if (this.stopped) return;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.release(raw, key);
    }, RETRY_MS);
    this.timers.add(timer);
  }

  /** The next fetch tells whether the offset is still refused. */
  private release(raw: RawPartition, key: string): void {
    this.handling.delete(key);
    if (this.stopped) return;
    try {
      this.session.resume(raw);
    } catch (error) {
      this.session.log.debug({ key, error }, 'the consumer is gone, its successor starts anew');
    }
  }
}
