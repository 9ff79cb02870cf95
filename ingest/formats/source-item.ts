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
  /** Where it went wrong; without a column, where the row ends. */
  readonly line: number;
  /** The character (code point) of the line, from 1, at which it went wrong, where there is one. */
  readonly column?: number;
  readonly reason: string;
}

export type SourceItem = SourceRecord | SourceRejection;

/** A rejection; `column` may be unknown. */
export function rejection(line: number, column: number | undefined, reason: string): SourceItem {
  return { kind: 'rejected', line, ...(column === undefined ? {} : { column }), reason };
}

/** What a line over RECORD_BYTES_MAX is rejected with. */
export const TOO_LONG = `longer than ${RECORD_BYTES_MAX} bytes, which a broker refuses`;

/** The JSON of a click as a record, or its rejection. */
export function clickItem(line: number, json: string, adId: string): SourceItem {
  const bytes = Buffer.from(json);
  if (bytes.length > RECORD_BYTES_MAX) {
    return rejection(line, undefined, `longer than ${RECORD_BYTES_MAX} bytes as JSON`);
  }
  return { kind: 'record', bytes, key: Buffer.from(adId), line };
}
