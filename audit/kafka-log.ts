import { setTimeout as sleep } from 'node:timers/promises';
import type { LogRecord } from '../core/count.js';
import { TruecountError } from '../core/errors.js';
import type { KafkajsCluster } from '../stream/kafka/cluster-hooks.js';
import { createHookedConsumer } from '../stream/kafka/consumer.js';
import { OFFSET_OUT_OF_RANGE } from '../stream/kafka/fetch-response.js';
import type { RawPartition } from '../stream/kafka/fetch-response.js';
import { decodeRecordSet } from '../stream/kafka/record-batch.js';
import { resolveSettings } from '../stream/kafka/settings.js';
import type { KafkaConnection, SourceLogger } from '../stream/kafka/settings.js';
import type { PartitionLog, ReadLog } from './log-reader.js';

const FETCH_BYTES = 4 * 1024 * 1024;
const FETCH_WAIT_MS = 500;
/** Without any progress for this long (no leader, no answer), reading is given up. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 500;
const READ_COMMITTED = 1;
const READ_AS_CONSUMER = -1;

interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** What is used of kafkajs' cluster beyond what the stream uses. */
interface Cluster extends KafkajsCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  refreshMetadata(): Promise<void>;
  findLeaderForPartitions(topic: string, partitions: number[]): Record<string, number[]>;
  findBroker(options: {
    nodeId: number | string;
  }): ReturnType<KafkajsCluster['findBroker']> &
    Promise<{ fetch(options: object): Promise<unknown> }>;
}

/**
 * The log in Kafka, read by plain fetches: no consumer group is joined or left behind, no offset is
 * committed, and no reader of the topics is disturbed. kafkajs' consumer is only made for the
 * cluster object and the fetch hooks that the stream uses as well; it never connects.
 */
export class KafkaLog {
  private readonly cluster: Cluster;
  private answer: readonly RawPartition[] = [];

  constructor(kafka: KafkaConnection, logger: SourceLogger) {
    const settings = resolveSettings({ kafka, logger, groupId: 'truecount-audit', topics: [] });
    const { cluster } = createHookedConsumer(settings, {
      beforeFetch: () => 0,
      beforeHeartbeat: () => undefined,
      onAnswer: (partitions) => {
        this.answer = partitions;
      },
      beforeJoin: (memberId) => Promise.resolve(memberId),
      isOver: () => false,
    });
    this.cluster = cluster as Cluster;
  }

  /** Partitions are read one after the other: fetches of two at a time would mix. */
  readonly readLog: ReadLog = async (topic, partition, endOffset) => {
    const tp = { topic, partition };
    await this.find(tp);
    const logStartOffset = await this.bound(tp, true);
    const logEndOffset = await this.bound(tp, false);
    const end = Math.min(endOffset, logEndOffset);
    const log: PartitionLog = {
      logStartOffset,
      logEndOffset,
      records: this.records(tp, logStartOffset, end),
    };
    return log;
  };

  /**
   * The record at an offset; undefined where there is none: not yet, not any more, or a marker.
   * @throws TruecountError `not_found` without the partition, `dependency_unreachable`
   */
  async recordAt(topic: string, partition: number, offset: number): Promise<LogRecord | undefined> {
    const tp = { topic, partition };
    await this.find(tp);
    const start = await this.bound(tp, true);
    const end = await this.bound(tp, false);
    if (offset < start || offset >= end) return undefined;
    for await (const record of this.records(tp, offset, offset + 1)) return record;
    return undefined;
  }

  async close(): Promise<void> {
    await this.cluster.disconnect();
  }

  private async find({ topic, partition }: TopicPartition): Promise<void> {
    const place = `${topic}/${String(partition)}`;
    try {
      await this.cluster.connect();
      await this.cluster.addTargetTopic(topic);
    } catch (cause) {
      if ((cause as { type?: string }).type === 'UNKNOWN_TOPIC_OR_PARTITION') {
        throw new TruecountError('not_found', `Kafka has no topic ${topic}`, { cause });
      }
      throw unreachable(place, cause);
    }
    if (Object.keys(this.cluster.findLeaderForPartitions(topic, [partition])).length === 0) {
      throw new TruecountError('not_found', `Kafka has no partition ${place}`);
    }
  }

  private bound({ topic, partition }: TopicPartition, isStart: boolean): Promise<number> {
    return this.patiently(`${topic}/${String(partition)}`, async () => {
      const answer = await this.cluster.fetchTopicsOffset([
        { topic, partitions: [{ partition }], fromBeginning: isStart },
      ]);
      return Number(answer[0]?.partitions[0]?.offset);
    });
  }

  private async *records(
    tp: TopicPartition,
    from: number,
    end: number,
  ): AsyncGenerator<LogRecord, void> {
    let emptySinceMs: number | null = null;
    for (let offset = from; offset < end;) {
      const raw = await this.patiently(`${tp.topic}/${String(tp.partition)}`, () =>
        this.fetch(tp, offset),
      );
      const records: LogRecord[] = [];
      const next = decodeRecordSet(raw, offset, collector(tp, end, records));
      yield* records;
      if (next > offset) emptySinceMs = null;
      else {
        // A new leader may not have caught up yet; the end was seen, so it will come back.
        emptySinceMs ??= performance.now();
        if (performance.now() - emptySinceMs > PATIENCE_MS) {
          throw unreachable(`${tp.topic}/${String(tp.partition)}`, undefined);
        }
      }
      offset = next;
    }
  }

  private async fetch({ topic, partition }: TopicPartition, offset: number): Promise<RawPartition> {
    const [leader] = Object.keys(this.cluster.findLeaderForPartitions(topic, [partition]));
    const broker = await this.cluster.findBroker({ nodeId: leader ?? '' });
    this.answer = [];
    await broker.fetch({
      replicaId: READ_AS_CONSUMER,
      isolationLevel: READ_COMMITTED,
      maxWaitTime: FETCH_WAIT_MS,
      minBytes: 1,
      maxBytes: FETCH_BYTES,
      topics: [
        {
          topic,
          partitions: [{ partition, fetchOffset: String(offset), maxBytes: FETCH_BYTES }],
        },
      ],
    });
    const raw = this.answer.find((r) => r.topic === topic && r.partition === partition);
    if (raw === undefined) throw new Error('the broker did not answer for the partition');
    if (raw.errorCode === OFFSET_OUT_OF_RANGE) {
      throw new TruecountError(
        'conflict',
        `retention removed offset ${String(offset)} of ${topic}/${String(partition)} meanwhile`,
        { hint: 'run the audit again: it then begins where the log begins' },
      );
    }
    return raw;
  }

  /** Tries again on whatever may pass: no leader yet, a broker that restarts, a lost connection. */
  private async patiently<T>(place: string, work: () => Promise<T>): Promise<T> {
    const endMs = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (error instanceof TruecountError) throw error;
        if (isForbidden(error) || performance.now() > endMs) throw unreachable(place, error);
        await sleep(PAUSE_MS);
        await this.cluster.refreshMetadata().catch(() => undefined);
      }
    }
  }
}

/** Collects the records below `end`. Values are copied: the decoder lends them for the call only. */
function collector(
  { topic, partition }: TopicPartition,
  end: number,
  into: LogRecord[],
): Parameters<typeof decodeRecordSet>[2] {
  const add = (offset: number, appendMs: number, value: Uint8Array | null): void => {
    if (offset < end) into.push({ topic, partition, offset, appendMs, value });
  };
  return {
    onRecord: (source, start, stop, offset, appendMs) => {
      add(offset, appendMs, Buffer.from(source.subarray(start, stop)));
    },
    onNull: (offset, appendMs) => {
      add(offset, appendMs, null);
    },
    onControl: () => undefined,
  };
}

/** Whether Kafka refuses to let this principal read, which no waiting mends. */
export function isForbidden(error: unknown): boolean {
  return (error as { readonly type?: unknown } | undefined)?.type === 'TOPIC_AUTHORIZATION_FAILED';
}

function unreachable(place: string, cause: unknown): TruecountError {
  const hint = 'see `truecount doctor`; `truecount audit --skip-log` checks what needs no log';
  return new TruecountError('dependency_unreachable', `Kafka does not give ${place}`, {
    hint: isForbidden(cause) ? 'allow the principal to read the topic' : hint,
    cause,
  });
}
