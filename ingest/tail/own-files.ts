import { realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { TruecountError } from '../../core/errors.js';
import { fileStats } from './content.js';

/** Whether a name in a folder (device and inode) is that of a file of the tail itself. */
export type IsOwn = (folderId: string, name: string) => boolean;

/** What stands behind a name: of `writeState`, and of `StateLock` with what it puts aside. */
const OF_STATE = /^(?:|\.next|\.lock|\.lock\.[\w-]{12})$/;
/** Of `RejectsFile`. */
const OF_REJECTS = /^(?:|\.1)$/;

/**
 * The files that a tail writes: they are no logs, wherever it finds them. A folder is known by its
 * device and inode, since it may be named through a symbolic link, or mounted twice; the files by
 * their exact names in it, since they come and go.
 */
export class OwnFiles {
  private readonly own: readonly { folder: string; name: string; endings: RegExp }[];

  /** Absolute paths. */
  constructor(stateFile: string, rejectsFile: string) {
    this.own = [
      { folder: dirname(stateFile), name: basename(stateFile), endings: OF_STATE },
      { folder: dirname(rejectsFile), name: basename(rejectsFile), endings: OF_REJECTS },
    ];
  }

  /** Where they are now. */
  async look(): Promise<IsOwn> {
    const ids = await Promise.all(this.own.map(({ folder }) => folderIdOf(folder)));
    return (folderId, name) => this.isOne(name, (_, i) => ids[i] === folderId);
  }

  /** Whether a path is that of one of them, or leads there. */
  async has(path: string): Promise<boolean> {
    const real = await realpath(path).catch(() => path);
    const folder = dirname(real);
    // Folders that are not there yet have nothing but their names.
    if (this.isOne(basename(real), (own) => own.folder === folder)) return true;
    const folderId = await folderIdOf(folder);
    return folderId !== undefined && (await this.look())(folderId, basename(real));
  }

  /**
   * To be called before any of them is written.
   * @throws TruecountError `invalid_argument` if one of the logs is one of them.
   */
  async assertNoneOf(logs: readonly string[]): Promise<void> {
    for (const log of logs) {
      if (!(await this.has(log))) continue;
      const message = `${log} is to be followed, and the tail writes to a file of this name itself`;
      throw new TruecountError('invalid_argument', message, {
        hint:
          'name other files with --state and --rejects: the tail also writes the .lock and .next ' +
          'of the state, and the .1 of the rejects',
        context: { file: log },
      });
    }
  }

  private isOne(name: string, isIn: (own: { folder: string }, i: number) => boolean): boolean {
    return this.own.some((one, i) => {
      return (
        isIn(one, i) && name.startsWith(one.name) && one.endings.test(name.slice(one.name.length))
      );
    });
  }
}

async function folderIdOf(folder: string): Promise<string | undefined> {
  return stat(folder, { bigint: true }).then(
    (stats) => fileStats(stats).fileId,
    () => undefined,
  );
}
