import type { Mapping } from '../mapping/mapping-schema.js';
import { LINE_MARKS_BYTES, splitLines } from './lines.js';
import { openRecordReader } from './record-reader.js';
import type { RecordReader } from './record-reader.js';
import { RECORD_BYTES_MAX } from './source-item.js';
import type { SourceItem } from './source-item.js';

/**
 * All records of a source and its rejections, in order.
 * @throws TruecountError what the reader throws; and what the source throws.
 */
export async function* readItems(
  source: AsyncIterable<Buffer>,
  reader: RecordReader,
): AsyncGenerator<SourceItem> {
  for await (const { bytes } of splitLines(source, RECORD_BYTES_MAX + LINE_MARKS_BYTES)) {
    const item = reader.read(bytes);
    if (item !== null) yield item;
  }
  reader.end();
}

/** NDJSON: one record per line, sent as it is. */
export function readNdjson(source: AsyncIterable<Buffer>): AsyncGenerator<SourceItem> {
  return readItems(source, openRecordReader({ format: 'ndjson' }));
}

/** CSV, with line ends in quoted cells. */
export async function* readCsv(
  source: AsyncIterable<Buffer>,
  mapping?: Mapping,
): AsyncGenerator<SourceItem> {
  yield* readItems(source, openRecordReader({ format: 'csv', mapping }));
}
