/**
 * The log as the stream sees it: a port with one implementation (`stream/kafka/`). It only has to
 * assign, seek, fetch, tell about reassignment, heartbeat and close; it never commits a position
 * that anybody trusts: the position lives in Postgres, in the transaction of the counts.
 */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** What one fetch returned for one partition. Offsets are exact in a double (below 2^53). */
export interface FetchedBatch extends TopicPartition {
  /** The offset that was asked for. Records below it may be present and are to be skipped. */
  readonly fetchedOffset: number;
  /** Next offset after everything in `recordSet`. */
  readonly endOffset: number;
  /** One past the last readable record of the partition when the broker answered. */
  readonly logEndOffset: number;
  /** First offset that the log still holds. */
  readonly logStartOffset: number;
  /** Raw Kafka record batches (magic 2). */
  readonly recordSet: Buffer;
  readonly abortedTransactions: readonly { producerId: bigint; firstOffset: number }[];
}

export interface LogSourceHandler {
  /**
   * Called after every (re)join, before any batch of that assignment is handed over, with all
   * partitions now owned. Returns the offset at which to read each (by `partitionKey`).
   */
  assigned(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, number>>;
  /** The group is rebalancing or the source is closing: a good moment to flush. */
  revoking(): Promise<void>;
  /** One fetch result with at least one record batch, in offset order per partition. */
  batch(batch: FetchedBatch, heartbeat: () => Promise<void>): Promise<void>;
  /** The fetch found nothing at `offset`: the partition is read to its end. */
  atEnd(tp: TopicPartition, offset: number, logStartOffset: number): void;
}

export interface LogSource {
  /** Joins the group and delivers until `close`. Rejects only on an error that no retry can mend. */
  run(handler: LogSourceHandler): Promise<void>;
  /** Read a partition from another offset; takes effect at its next fetch. */
  seek(tp: TopicPartition, offset: number): void;
  /** Leave and join again: every partition is assigned anew (after a refused flush). */
  rejoin(): Promise<void>;
  /** For lag displays of other tools only; never read back. */
  reportCommitted(positions: ReadonlyMap<string, number>): Promise<void>;
  close(): Promise<void>;
}
