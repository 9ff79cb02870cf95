import { decodeRecordSet } from '../../../stream/kafka/record-batch.js';
import type { RecordSink } from '../../../stream/kafka/record-batch.js';
import { KafkaLogSource } from '../../../stream/kafka/source.js';
import type { KafkaSourceSettings, SourceLogger } from '../../../stream/kafka/settings.js';
import { partitionKey } from '../../../core/position.js';
import type { FetchedBatch, LogSourceHandler, TopicPartition } from '../../../stream/log-source.js';

const silent = (): void => undefined;
export const QUIET: SourceLogger = { debug: silent, info: silent, warn: silent, error: silent };

/** Positions that outlive a recorder, as the database's do. */
export type Positions = Map<string, number>;

/**
 * A handler that keeps what it is given and checks the promises of the port: no overlapping calls,
 * no batch before `assigned`, only partitions that it owns, no offset twice or out of order.
 */
export class Recorder implements LogSourceHandler, RecordSink {
  readonly values: (string | null)[] = [];
  readonly offsets: number[] = [];
  readonly controls: [number, number][] = [];
  /** First offset of each batch that did not begin at the expected one. */
  readonly jumps: { from: number; to: number; logStartOffset: number }[] = [];
  readonly faults: string[] = [];
  readonly ended = new Map<string, number>();
  owned = new Set<string>();
  assignments = 0;
  revocations = 0;
  batches = 0;
  /** Runs inside `batch`, after its records are taken. */
  onBatch: (batch: FetchedBatch, heartbeat: () => Promise<void>) => Promise<void> = () =>
    Promise.resolve();
  private busy = false;

  constructor(readonly positions: Positions = new Map()) {}

  assigned(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, number>> {
    return this.alone(() => {
      this.assignments += 1;
      this.owned = new Set(partitions.map(partitionKey));
      const given = new Map<string, number>();
      for (const key of this.owned) given.set(key, this.positions.get(key) ?? 0);
      return Promise.resolve(given);
    });
  }

  revoking(): Promise<void> {
    return this.alone(() => {
      this.revocations += 1;
      return Promise.resolve();
    });
  }

  batch(batch: FetchedBatch, heartbeat: () => Promise<void>): Promise<void> {
    return this.alone(async () => {
      const key = partitionKey(batch);
      if (!this.owned.has(key)) this.faults.push(`${key} is not owned`);
      const expected = this.positions.get(key) ?? 0;
      if (batch.fetchedOffset !== expected) {
        const { logStartOffset } = batch;
        this.jumps.push({ from: expected, to: batch.fetchedOffset, logStartOffset });
      }
      const end = decodeRecordSet(batch, batch.fetchedOffset, this);
      if (end !== batch.endOffset) this.faults.push(`${key} ends elsewhere`);
      this.positions.set(key, end);
      this.batches += 1;
      await this.onBatch(batch, heartbeat);
    });
  }

  atEnd(tp: TopicPartition, offset: number): void {
    if (this.busy) this.faults.push('atEnd overlaps');
    this.ended.set(partitionKey(tp), offset);
  }

  onRecord(source: Uint8Array, start: number, end: number, offset: number): void {
    this.values.push(Buffer.from(source.subarray(start, end)).toString());
    this.offsets.push(offset);
  }

  onNull(offset: number): void {
    this.values.push(null);
    this.offsets.push(offset);
  }

  onControl(fromOffset: number, toOffset: number): void {
    this.controls.push([fromOffset, toOffset]);
  }

  private async alone<T>(call: () => Promise<T>): Promise<T> {
    if (this.busy) this.faults.push('calls overlap');
    this.busy = true;
    try {
      return await call();
    } finally {
      this.busy = false;
    }
  }
}

/** A source that runs; `stop` closes it and gives what `run` ended with. */
export interface Member {
  readonly source: KafkaLogSource;
  readonly ended: Promise<unknown>;
  stop(): Promise<unknown>;
}

/** Starts a source with short timeouts. `ended` gives undefined or the error. */
export function startMember(
  settings: Pick<KafkaSourceSettings, 'kafka' | 'groupId' | 'topics'> &
    Partial<KafkaSourceSettings>,
  handler: LogSourceHandler,
): Member {
  const source = new KafkaLogSource({
    logger: QUIET,
    sessionTimeoutMs: 10_000,
    heartbeatMs: 500,
    rebalanceTimeoutMs: 10_000,
    maxWaitMs: 100,
    ...settings,
  });
  const ended = source.run(handler).then(
    () => undefined,
    (error: unknown) => error,
  );
  return {
    source,
    ended,
    stop: async () => {
      await source.close();
      return ended;
    },
  };
}
