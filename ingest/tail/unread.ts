/** Sizes are noted at most so many times; beyond that the newest note stands for several. */
const NOTES_MAX = 256;

/** Since when bytes of a file wait to be read. */
export class UnreadSince {
  private readonly notes: { size: number; readonly atMs: number }[] = [];

  /** A scan found the file with `size` bytes, of which `offset` are read. */
  observe(size: number, offset: number, nowMs: number): void {
    while (this.notes.length > 0 && this.notes[0]!.size <= offset) this.notes.shift();
    const last = this.notes.at(-1);
    if (size <= (last?.size ?? offset)) return;
    if (this.notes.length < NOTES_MAX) this.notes.push({ size, atMs: nowMs });
    else last!.size = size;
  }

  /** When the first byte behind `offset` was there at the latest; undefined if there is none. */
  since(offset: number): number | undefined {
    return this.notes.find(({ size }) => size > offset)?.atMs;
  }
}
