import { openSeen } from './followed.js';
import { beginsWith } from './known-file.js';
import type { Position, SeenFile } from './known-file.js';
import type { Trouble, Troubles } from './troubles.js';

/** A content by its length and its last bytes. */
export type Ending = Pick<Position, 'offset' | 'tail'>;

/** Compares files with contents, and remembers which of them cannot be. */
export class Copies {
  private readonly failed = new Map<string, Failure>();

  constructor(private readonly troubles: Troubles) {}

  /** As `copiedIn`; undefined also of a file that cannot be read. One that is damaged may change. */
  async in<T extends Ending>(
    file: SeenFile,
    contents: readonly T[],
    mayGrow: boolean,
  ): Promise<T[] | undefined> {
    const { fileId, path, size, mtimeMs } = file;
    const before = this.failed.get(fileId);
    if (before?.damaged && before.size === size && before.mtimeMs === mtimeMs) return undefined;
    this.failed.delete(fileId);
    try {
      return await copiedIn(file, contents, mayGrow);
    } catch (error) {
      const { message: why, syscall } = error as NodeJS.ErrnoException;
      this.failed.set(fileId, { path, why, size, mtimeMs, damaged: syscall === undefined });
      this.troubles.say(path, `cannot be read: ${why}`, 'error');
      return undefined;
    }
  }

  /** Forgets files other than these. */
  keep(files: readonly SeenFile[]): void {
    const ids = new Set(files.map(({ fileId }) => fileId));
    for (const id of this.failed.keys()) if (!ids.has(id)) this.failed.delete(id);
  }

  /** The files that could not be read when they were compared last. */
  failures(): Trouble[] {
    return [...this.failed.values()];
  }
}

interface Failure extends Trouble {
  readonly size: number;
  readonly mtimeMs: number;
  /** It stays so until the file changes. */
  readonly damaged: boolean;
}

/**
 * Those of some contents, longest first, that a file goes on behind, as far as their last bytes tell;
 * undefined if the file is away by now, or still so short that it may become one of them. To be called
 * for a file that begins as they do.
 * @throws what reading it does, for a damaged gz too.
 */
async function copiedIn<T extends Ending>(
  file: SeenFile,
  contents: readonly T[],
  mayGrow: boolean,
): Promise<T[] | undefined> {
  const content = await openSeen(file);
  if (content === undefined) return undefined;
  const copied: T[] = [];
  try {
    // Forward, as a gz file is read.
    for (const one of contents.toReversed()) {
      const { offset, tail } = one;
      const window = await content.read(offset - tail.bytes, tail.bytes);
      const isShort = window.length < tail.bytes && content.ended !== 'whole';
      if (isShort && mayGrow) return undefined;
      if (beginsWith(window, tail)) copied.unshift(one);
    }
  } finally {
    await content.close();
  }
  return copied;
}
