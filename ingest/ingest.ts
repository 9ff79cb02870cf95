import type { SourceItem } from './formats/source-item.js';
import type { ClickProducer } from './producer.js';

/** Rejections that are listed one by one; all are counted. */
export const REJECTIONS_LISTED = 20;

export interface IngestResult {
  /** Records on the log, acknowledged. */
  readonly sent: number;
  /** Their bytes, without keys. */
  readonly bytes: number;
  readonly rejected: number;
  /** The first REJECTIONS_LISTED. */
  readonly rejections: readonly { readonly line: number; readonly reason: string }[];
}

/**
 * Sends all items of a source, in order. `onProgress` is told, after every record taken, how many
 * were; it must be cheap.
 * @throws what the source or the producer throws; the records before that may be on the log.
 */
export async function ingestItems(
  items: AsyncIterable<SourceItem>,
  producer: ClickProducer,
  onProgress: (taken: number) => void = () => undefined,
): Promise<IngestResult> {
  const rejections: { line: number; reason: string }[] = [];
  let sent = 0;
  let bytes = 0;
  let rejected = 0;
  for await (const item of items) {
    if (item.kind === 'rejected') {
      rejected += 1;
      if (rejections.length < REJECTIONS_LISTED) {
        rejections.push({ line: item.line, reason: item.reason });
      }
      continue;
    }
    const turn = producer.add(item.key, item.bytes);
    if (turn !== undefined) await turn;
    sent += 1;
    bytes += item.bytes.length;
    onProgress(sent);
  }
  await producer.flush();
  return { sent, bytes, rejected, rejections };
}
