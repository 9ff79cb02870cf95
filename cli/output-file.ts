import { createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TruecountError } from '../core/errors.js';

/** What stands for stdout where a file is named. */
export const STDOUT = '-';

/** Writes to a file, or to stdout. @throws as `writeFile` */
export async function writeTo(path: string, content: Readable): Promise<void> {
  if (path === STDOUT) await pipeline(content, process.stdout, { end: false });
  else await writeFile(path, content);
}

/**
 * Writes a file, as fast as the disk takes it.
 * @throws TruecountError `invalid_argument` where it cannot be written; those of `content`
 */
export async function writeFile(path: string, content: Readable): Promise<void> {
  try {
    await pipeline(content, createWriteStream(path));
  } catch (cause) {
    if (cause instanceof TruecountError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TruecountError('invalid_argument', `cannot write ${path}: ${why}`, {
      hint: 'check the folder, its permissions and the space left',
      cause,
    });
  }
}
