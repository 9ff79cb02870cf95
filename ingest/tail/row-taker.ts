import type { RecordReader } from '../formats/record-reader.js';
import type { SourceRecord } from '../formats/source-item.js';
import type { Position } from './known-file.js';
import type { Reject } from './rejects.js';
import { LF } from './take-lines.js';
import type { TakenLine } from './take-lines.js';

/**
 * Makes records of the lines of some bytes that begin in front of a row. What was left alone is read,
 * and makes none.
 */
export class RowTaker {
  readonly records: SourceRecord[] = [];
  readonly rejects: Omit<Reject, 'file'>[] = [];
  /** Lines of whole rows. */
  lines = 0;
  /** The bytes of whole rows. */
  taken = 0;
  /** Behind `taken` stands a row that cannot be read. */
  isStopped = false;
  private waiting = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly position: Pick<Position, 'offset' | 'from'>,
    private readonly reader: RecordReader,
  ) {}

  /** @throws what the reader does, unless there are whole rows in front of the one at fault. */
  add(lines: readonly TakenLine[]): void {
    for (const line of lines) {
      if (!this.read(line)) return;
    }
  }

  /** The last lines, if the row they began is longer than `bytesMax`, are no row in any case. */
  refuseOver(bytesMax: number): void {
    const { isStopped, reader, bytes, taken } = this;
    if (isStopped || reader.isBetweenRecords() || bytes.length - taken <= bytesMax) return;
    this.read({ bytes: null, next: bytes.length });
  }

  private read(line: TakenLine): boolean {
    const { reader } = this;
    const isInRow = !reader.isBetweenRecords();
    let item;
    try {
      item = reader.read(line.bytes);
    } catch (error) {
      if (!isInRow || this.taken === 0) throw error;
      this.isStopped = true;
      return false;
    }
    this.waiting += 1;
    if (!reader.isBetweenRecords()) return true;
    const { from = 0, offset } = this.position;
    const end = this.bytes[line.next - 1] === LF ? line.next - 1 : line.next;
    const isOld = end < line.next && offset + line.next <= from;
    if (!isOld) {
      this.lines += this.waiting;
      if (item?.kind === 'record') this.records.push(item);
      else if (item !== null) {
        const { line: number, column, reason } = item;
        const bytes = line.bytes && this.bytes.subarray(this.taken, end);
        const where = { line: number, ...(column === undefined ? {} : { column }) };
        this.rejects.push({ ...where, reason, bytes });
      }
    }
    this.waiting = 0;
    this.taken = line.next;
    return true;
  }
}
