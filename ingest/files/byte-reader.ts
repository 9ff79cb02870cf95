/** Reads a source of bytes by lengths. Holds one chunk of it. */
export class ByteReader {
  private readonly source: AsyncIterator<Buffer>;
  private chunk: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.source = source[Symbol.asyncIterator]();
  }

  /** Exactly `length` bytes; null if the source ends before. */
  async take(length: number): Promise<Buffer | null> {
    const parts: Buffer[] = [];
    for (let missing = length; missing > 0;) {
      if (this.chunk.length === 0 && !(await this.next())) return null;
      const part = this.chunk.subarray(0, missing);
      this.chunk = this.chunk.subarray(part.length);
      parts.push(part);
      missing -= part.length;
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /** Passes over `length` bytes; false if the source ends before. */
  async skip(length: number): Promise<boolean> {
    for (let missing = length; missing > 0;) {
      if (this.chunk.length === 0 && !(await this.next())) return false;
      const part = Math.min(missing, this.chunk.length);
      this.chunk = this.chunk.subarray(part);
      missing -= part;
    }
    return true;
  }

  /** Whether the source has no more bytes. */
  async isAtEnd(): Promise<boolean> {
    return this.chunk.length === 0 && !(await this.next());
  }

  /** The rest of the source, beginning with bytes that were taken and are given back. */
  async *rest(given: Buffer): AsyncGenerator<Buffer> {
    if (given.length > 0) yield given;
    while (!(await this.isAtEnd())) {
      const chunk = this.chunk;
      this.chunk = chunk.subarray(chunk.length);
      yield chunk;
    }
  }

  /** As many of the next `length` bytes as there are. */
  async takeUpTo(length: number): Promise<Buffer> {
    let taken = Buffer.alloc(0);
    while (taken.length < length && !(await this.isAtEnd())) {
      const part = this.chunk.subarray(0, length - taken.length);
      this.chunk = this.chunk.subarray(part.length);
      taken = Buffer.concat([taken, part]);
    }
    return taken;
  }

  private async next(): Promise<boolean> {
    for (;;) {
      const next = await this.source.next();
      if (next.done === true) return false;
      this.chunk = next.value;
      if (this.chunk.length > 0) return true;
    }
  }
}
