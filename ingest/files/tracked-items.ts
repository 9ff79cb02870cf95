import { LINE_MARKS_BYTES, splitLines } from '../formats/lines.js';
import type { ReaderState, RecordReader } from '../formats/record-reader.js';
import { RECORD_BYTES_MAX } from '../formats/source-item.js';
import type { SourceItem } from '../formats/source-item.js';

/** Where a reader can go on: the offset of a line, and what was before it. */
export interface ReadPosition {
  readonly offset: number;
  readonly reader: ReaderState;
}

/** The records of a content, and where the last that was taken ends. */
export class TrackedItems implements AsyncIterable<SourceItem> {
  private end: number;
  private closed = false;

  /** `source` begins at `from`, and so does the reader. */
  constructor(
    private readonly source: AsyncIterable<Buffer>,
    private readonly reader: RecordReader,
    from: number,
  ) {
    this.end = from;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SourceItem> {
    const bytesMax = RECORD_BYTES_MAX + LINE_MARKS_BYTES;
    for await (const { bytes, end, closed } of splitLines(this.source, bytesMax, this.end)) {
      this.end = end;
      this.closed = closed;
      const item = this.reader.read(bytes);
      if (item !== null) yield item;
    }
    this.reader.end();
  }

  /** Undefined where nobody can go on: in a line without its end, or within a row. */
  position(): ReadPosition | undefined {
    if (!this.closed || !this.reader.isBetweenRecords()) return undefined;
    return { offset: this.end, reader: this.reader.state() };
  }
}
