import { createHash } from 'node:crypto';

/**
 * Event ids for a source whose rows have none: the row's number and a hash of everything up to and
 * including the row. Two rows share an id only if the files are equal up to there, whatever their
 * names, so reading a file again, or once more after rows were appended, gives the same ids, and
 * another file never the same. Changing a row gives it and all later rows new ids: an edited file
 * is another file. Hashed are the values, not their spelling (quotes, line ends, delimiter).
 */
export class PositionIds {
  private chain: Buffer;
  private row = 0;

  constructor(header: readonly string[]) {
    this.chain = createHash('sha256').update(JSON.stringify(header)).digest();
  }

  /** The id of the next row. Every row must be passed, also one that is then rejected. */
  next(row: readonly string[]): string {
    this.row += 1;
    this.chain = createHash('sha256').update(this.chain).update(JSON.stringify(row)).digest();
    return `${this.row}-${this.chain.toString('base64url', 0, 16)}`;
  }
}
