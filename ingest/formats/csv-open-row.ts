import { TruecountError } from '../../core/errors.js';
import { trimLine } from './lines.js';
import { RECORD_BYTES_MAX } from './source-item.js';
import type { TextPlace } from './text-place.js';

const CR = 0x0d;

/**
 * A row of CSV that goes over several lines, as it grows. A line closes the row if its quotes are
 * odd in number: doubled ones inside the cell are even, and so is a pair that closes it and opens
 * another. So no line is looked at twice, however many there are.
 */
export class OpenCsvRow {
  private readonly parts: string[] = [];
  private bytes = 0;
  private closedByCr: boolean;

  /** `text` is the first line without its end, `raw` with its CR; `place` that of the open quote. */
  constructor(
    text: string,
    raw: Buffer,
    private readonly place: TextPlace,
  ) {
    this.parts.push(text);
    this.bytes = raw.length;
    this.closedByCr = raw.at(-1) === CR;
  }

  /** The number of its first line. */
  get line(): number {
    return this.place.line;
  }

  /**
   * Adds a line; gives the whole row if that closed it.
   * @throws TruecountError `invalid_argument` if the row is larger than any record by now.
   */
  add(raw: Buffer | null): string | undefined {
    // With the line end in between.
    this.bytes += 1 + (raw?.length ?? Infinity);
    if (raw === null || this.bytes > RECORD_BYTES_MAX) throw this.neverClosed();
    const text = trimLine(raw, false).toString();
    this.parts.push(this.closedByCr ? '\r\n' : '\n', text);
    this.closedByCr = raw.at(-1) === CR;
    return countQuotes(text) % 2 === 1 ? this.parts.join('') : undefined;
  }

  /** The error for a row that does not end: what is behind it cannot be read. */
  neverClosed(): TruecountError {
    const { line, column } = this.place;
    return new TruecountError(
      'invalid_argument',
      `the CSV cannot be read from line ${line}, character ${column} on: the quote there is ` +
        `never closed`,
      { hint: 'correct the file and ingest it again', context: { line, column } },
    );
  }
}

function countQuotes(text: string): number {
  let count = 0;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at + 1)) count += 1;
  return count;
}
