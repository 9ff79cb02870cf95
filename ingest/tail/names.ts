import { basename, dirname, join, resolve } from 'node:path';
import type { SeenFile } from './known-file.js';

/** Which names of one folder belong to the tail. */
export interface Pattern {
  readonly folder: string;
  /** Undefined: no file of this name. */
  readonly named: (name: string) => Exclude<SeenFile['named'], 'gone'> | undefined;
}

const WILD = /[*?[\]]/;

/**
 * What an argument stands for. A name with `*`, `?` or `[…]` in its last part is a glob, in which
 * as in a shell a leading dot must be written. A folder stands for all its files, not those of
 * folders in it. A file stands for itself, and its name with `.` or `-` and more behind it for what
 * was rotated away. `isFolder` says whether a path is a folder now.
 * @throws RangeError if there is a wildcard in a folder's name.
 */
export function parsePattern(
  argument: string,
  cwd: string,
  isFolder: (path: string) => boolean,
): Pattern {
  const path = resolve(cwd, argument);
  if (isFolder(path)) return { folder: path, named: (name) => asked(!name.startsWith('.')) };
  const folder = dirname(path);
  const base = basename(path);
  if (WILD.test(folder)) {
    throw new RangeError(`${argument}: wildcards are for the last part of a path only`);
  }
  if (WILD.test(base)) {
    const glob = globExpression(base);
    return { folder, named: (name) => asked(glob.test(name)) };
  }
  return {
    folder,
    named: (name) => {
      if (name === base) return 'asked';
      return name.startsWith(`${base}.`) || name.startsWith(`${base}-`) ? 'rotated' : undefined;
    },
  };
}

function asked(yes: boolean): 'asked' | undefined {
  return yes ? 'asked' : undefined;
}

/** A glob without `**` and braces, as in a shell. */
export function globExpression(glob: string): RegExp {
  let source = glob.startsWith('.') ? '' : '(?!\\.)';
  for (let i = 0; i < glob.length; i++) {
    const set = /^\[([!^]?)(\]?[^\]]*)\]/.exec(glob.slice(i));
    if (glob[i] === '*') source += '.*';
    else if (glob[i] === '?') source += '.';
    else if (set !== null) {
      source += `[${set[1] === '' ? '' : '^'}${set[2]!.replaceAll(/[\\\]]/g, '\\$&')}]`;
      i += set[0].length - 1;
    } else source += glob[i]!.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
  }
  return new RegExp(`^${source}$`, 's');
}

/** The paths that patterns name, of the files that a folder has; each once, `asked` before `rotated`. */
export function namedPaths(
  patterns: readonly Pattern[],
  namesIn: (folder: string) => readonly string[],
): Map<string, 'asked' | 'rotated'> {
  const paths = new Map<string, 'asked' | 'rotated'>();
  for (const { folder, named } of patterns) {
    for (const name of namesIn(folder)) {
      const as = named(name);
      const path = join(folder, name);
      if (as !== undefined && paths.get(path) !== 'asked') paths.set(path, as);
    }
  }
  return paths;
}
