import { basename, dirname, join, resolve } from 'node:path';
import type { SeenFile } from './known-file.js';

/** Which names of one folder belong to the tail. */
export interface Place {
  readonly folder: string;
  /** Undefined: no file of this name. */
  readonly named: (name: string) => Exclude<SeenFile['named'], 'gone'> | undefined;
}

/** What an argument stands for. */
export interface Pattern {
  readonly place: Place;
  /** Of an argument that may name a folder, now or later: the path, and what it stands for then. */
  readonly folder?: Place;
  /** The path of a file that is asked for by its name. */
  readonly file?: string;
}

const WILD = /[*?[\]]/;

/**
 * What an argument stands for. A name with `*`, `?` or `[…]` in its last part is a glob, in which
 * as in a shell a leading dot must be written, unless `isThere` says that there is something of
 * just this name; what comes under it later belongs to the glob, too. A folder stands for all its
 * files, not those of folders in it; with a `/` at its end it need not be there yet. A file stands for
 * itself, and its name with `.` or `-` and more behind it for what was rotated away.
 * @throws RangeError if there is a wildcard in a folder's name.
 */
export function parsePattern(
  argument: string,
  cwd: string,
  isThere: (path: string) => boolean,
): Pattern {
  const path = resolve(cwd, argument);
  const inside = { folder: path, named: (name: string) => asked(!name.startsWith('.')) };
  const folder = dirname(path);
  const base = basename(path);
  if (WILD.test(argument.endsWith('/') ? path : folder)) {
    throw new RangeError(`${argument}: wildcards are for the last part of a path only`);
  }
  if (argument.endsWith('/')) return { place: inside };
  const glob = WILD.test(base) && !isThere(path) ? globExpression(base) : undefined;
  const named = (name: string): ReturnType<Place['named']> => {
    if (name === base || glob?.test(name) === true) return 'asked';
    return name.startsWith(`${base}.`) || name.startsWith(`${base}-`) ? 'rotated' : undefined;
  };
  return { place: { folder, named }, folder: inside, file: path };
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

/** The paths in one folder that places in it name; each once, `asked` before `rotated`. */
export function namedPaths(
  places: readonly Place[],
  names: readonly string[],
): Map<string, 'asked' | 'rotated'> {
  const paths = new Map<string, 'asked' | 'rotated'>();
  for (const { folder, named } of places) {
    for (const name of names) {
      const as = named(name);
      const path = join(folder, name);
      if (as !== undefined && paths.get(path) !== 'asked') paths.set(path, as);
    }
  }
  return paths;
}
