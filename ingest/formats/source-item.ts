/**
 * The largest record that is sent, in bytes: what a broker with default settings takes
 * (`message.max.bytes` 1,048,588) with room for key and framing. The decoder's own limit is lower,
 * so what lies between the two is quarantined with its bytes instead of being lost here.
 */
export const RECORD_BYTES_MAX = 1_000_000;

/** One record of a source, ready for the log; `line` (from 1) is where it ends in the source. */
export interface SourceRecord {
  readonly kind: 'record';
  readonly bytes: Buffer;
  /** Partitions the record: the ad id, else a hash of the bytes. */
  readonly key: Buffer;
  readonly line: number;
}

/** What could not become a record, and why, in words for the person who has the file. */
export interface SourceRejection {
  readonly kind: 'rejected';
  readonly line: number;
  readonly reason: string;
}

export type SourceItem = SourceRecord | SourceRejection;
