import type { SourceItem } from './formats/source-item.js';
import type { ClickProducer, OnStored } from './producer.js';

/** Rejections that are listed one by one; all are counted. */
export const REJECTIONS_LISTED = 20;

/** Records between two marks: half a second or so. */
export const MARK_EVERY_RECORDS = 20_000;

export interface Rejection {
  readonly line: number;
  readonly column?: number;
  readonly reason: string;
}

export interface IngestResult {
  /** Records on the log, acknowledged. */
  readonly sent: number;
  /** Their bytes, without keys. */
  readonly bytes: number;
  readonly rejected: number;
  /** The first REJECTIONS_LISTED. */
  readonly rejections: readonly Rejection[];
}

/** An IngestResult as it grows: what was taken, of which the last may not be acknowledged yet. */
export class IngestTally {
  sent = 0;
  bytes = 0;
  rejected = 0;
  readonly rejections: Rejection[] = [];

  reject({ line, column, reason }: Rejection): void {
    this.rejected += 1;
    if (this.rejections.length >= REJECTIONS_LISTED) return;
    this.rejections.push({ line, ...(column === undefined ? {} : { column }), reason });
  }
}

export interface IngestOptions {
  /** Told after every record how many were taken; must be cheap. */
  readonly onProgress?: (taken: number) => void;
  /** What is counted on; by default from 0. */
  readonly tally?: IngestTally;
  /**
   * Asked behind every MARK_EVERY_RECORDS-th record, of which it gets the value, and which the
   * source is then exactly behind. What it gives is told where that record is, once it and all
   * before it are acknowledged.
   */
  readonly mark?: ((value: Buffer) => OnStored | undefined) | undefined;
}

/**
 * Sends all items of a source, in order.
 * @throws what the source throws, with all before it on the log; or what the producer throws: then
 * some of the records before that are on the log.
 */
export async function ingestItems(
  items: AsyncIterable<SourceItem>,
  producer: ClickProducer,
  options: IngestOptions = {},
): Promise<IngestResult> {
  const { onProgress, mark, tally = new IngestTally() } = options;
  let taken = 0;
  try {
    for await (const item of items) {
      if (item.kind === 'rejected') {
        tally.reject(item);
        continue;
      }
      taken += 1;
      tally.sent += 1;
      tally.bytes += item.bytes.length;
      const onStored = taken % MARK_EVERY_RECORDS === 0 ? mark?.(item.bytes) : undefined;
      const turn = producer.add(item.key, item.bytes, onStored);
      if (turn !== undefined) await turn;
      onProgress?.(tally.sent);
    }
  } catch (error) {
    // If it was the producer that failed, it fails again.
    await producer.flush().catch(() => undefined);
    throw error;
  }
  await producer.flush();
  const { sent, bytes, rejected, rejections } = tally;
  return { sent, bytes, rejected, rejections };
}
