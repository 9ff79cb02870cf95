import { openSeen } from './followed.js';
import { beginsWith } from './known-file.js';
import type { Position, SeenFile } from './known-file.js';

/** A content by its length and its last bytes. */
export type Ending = Pick<Position, 'offset' | 'tail'>;

/**
 * Those of some contents, longest first, that a file goes on behind, as far as their last bytes tell;
 * undefined if the file is away by now, or still so short that it may become one of them. To be called
 * for a file that begins as they do.
 * @throws what reading it does, for a damaged gz too.
 */
export async function copiedIn<T extends Ending>(
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
