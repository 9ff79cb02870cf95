import type { LogRecord } from '../core/count.js';

/** One partition as the log holds it now. */
export interface PartitionLog {
  /** First offset that the log still holds. */
  readonly logStartOffset: number;
  /** One past the last readable record. */
  readonly logEndOffset: number;
  /**
   * Every record in `[logStartOffset, endOffset)`, ascending; offsets that hold none (transaction
   * markers, aborted records) are left out. To be iterated once.
   */
  readonly records: AsyncIterable<LogRecord>;
}

/**
 * The log as the audit reads it: a port. Reading leaves nothing behind and disturbs no reader of
 * the log. If `endOffset` lies above the log's end, reading stops at that end.
 *
 * Throws `not_found` for a topic or partition that does not exist, `dependency_unreachable`,
 * `corrupt_record_batch`, and `conflict` if retention removed records while they were read.
 */
export type ReadLog = (
  topic: string,
  partition: number,
  endOffset: number,
) => Promise<PartitionLog>;
