import { createHash } from 'node:crypto';

/** Where a count of rows stands: how many there were, and the hash of all of them. */
export interface PositionState {
  readonly row: number;
  /** Base64url of 32 bytes. */
  readonly chain: string;
}

/**
 * Event ids for a source whose rows have none: the row's number and a hash of everything up to and
 * including the row. Two rows share an id only if the files are equal up to there, whatever their
 * names, so reading a file again, or once more after rows were appended, gives the same ids, and
 * another file never the same. Changing a row gives it and all later rows new ids: an edited file
 * is another file.
 *
 * Files that begin with equal rows and are not the same file share the ids of those rows. Two
 * servers that log equal lines are told apart by `source`, a name that is hashed in front of all.
 * Two files of one server are not: nothing in a file's bytes tells it from its copy. Their first
 * rows are equal only if both were begun within one tick of the time that a row holds (a log
 * rotated twice in a second in which equal requests came first); what is lost then is the second
 * file's rows up to the first difference. Real ids are the cure.
 */
export class PositionIds {
  private chain: Buffer;
  private row: number;

  /**
   * `header` is what the rows begin with; `state` is from an instance with the same arguments. One
   * with the chain '' is none.
   */
  constructor(header: readonly string[], source?: string, state?: PositionState) {
    const start = source === undefined ? header : [source, header];
    this.row = state?.row ?? 0;
    this.chain =
      state === undefined || state.chain === ''
        ? hash(JSON.stringify(start))
        : Buffer.from(state.chain, 'base64url');
  }

  /**
   * The id of the next row. Every row must be passed, also one that is then rejected. Of cells the
   * values are hashed, not their spelling (quotes, line ends, delimiter); of a line its bytes.
   */
  next(row: readonly string[] | Buffer): string {
    this.row += 1;
    const bytes = Buffer.isBuffer(row) ? row : JSON.stringify(row);
    this.chain = createHash('sha256').update(this.chain).update(bytes).digest();
    return `${this.row}-${this.chain.toString('base64url', 0, 16)}`;
  }

  state(): PositionState {
    return { row: this.row, chain: this.chain.toString('base64url') };
  }
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
