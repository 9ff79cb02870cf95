import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { groupBy } from '../../core/group-by.js';
import { attempt } from './attempt.js';
import { fileStats } from './content.js';
import { namedPaths } from './names.js';
import type { Pattern, Place } from './names.js';

/** Folders with fewer names than this are read at each look. */
const NAMES_MANY = 256;
/** A folder of many names is read again at least so often, whatever its time of change says. */
const READ_EVERY_MS = 10_000;
/** Times of change are so coarse at worst (FAT): so long after a change there may be another. */
const COARSE_MS = 2_000;

/** What a folder held when it was read last. */
interface Listed {
  readonly places: readonly Place[];
  readonly changeNs: bigint;
  readonly changedMs: number;
  readonly readMs: number;
  readonly names: number;
  readonly folderId: string;
  readonly paths: ReadonlyMap<string, 'asked' | 'rotated'>;
  readonly links: ReadonlySet<string>;
  readonly unreadable: ReadonlyMap<string, string>;
}

export interface Listing {
  /** Device and inode. */
  readonly folderId: string;
  /** Those of the paths that are symbolic links. */
  readonly links: ReadonlySet<string>;
  readonly paths: ReadonlyMap<string, 'asked' | 'rotated'>;
  /** No name has come, gone or moved since the last look, as far as the folder says. */
  readonly isSame: boolean;
}

/** The names of files that patterns mean. */
export class Listings {
  private listed = new Map<string, Listed>();

  constructor(private readonly patterns: readonly Pattern[]) {}

  /** By folder. What cannot be read is added to `unreadable`. */
  async list(nowMs: number, unreadable: Map<string, string>): Promise<Map<string, Listing>> {
    const places = await Promise.all(this.patterns.map(placeNow));
    const listed = new Map<string, Listed>();
    const listings = new Map<string, Listing>();
    for (const [folder, inIt] of groupBy(new Set(places), (place) => place.folder)) {
      const before = this.listed.get(folder);
      const now = await attempt(folder, unreadable, () => look(folder, inIt, before, nowMs));
      if (now === undefined) continue;
      listed.set(folder, now);
      for (const [path, why] of now.unreadable) unreadable.set(path, why);
      const { folderId, links, paths } = now;
      listings.set(folder, { folderId, links, paths, isSame: now === before });
    }
    this.listed = listed;
    return listings;
  }
}

/** A folder may come later, or become one. */
async function placeNow({ place, folder }: Pattern): Promise<Place> {
  if (folder === undefined) return place;
  const isFolder = await stat(folder.folder).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  return isFolder ? folder : place;
}

async function look(
  folder: string,
  places: readonly Place[],
  before: Listed | undefined,
  nowMs: number,
): Promise<Listed> {
  // Before the names are read: a change in between is one of the next look.
  const stats = await stat(folder, { bigint: true });
  const { mtimeNs: changeNs } = stats;
  const isSame =
    before?.changeNs === changeNs &&
    before.places.length === places.length &&
    before.places.every((place, i) => place === places[i]);
  const isRecent = before === undefined || nowMs - before.readMs < READ_EVERY_MS;
  const isSettled = before !== undefined && nowMs - before.changedMs >= COARSE_MS;
  if (isSame && isRecent && isSettled && before.names >= NAMES_MANY) return before;
  const entries = await readdir(folder, { withFileTypes: true, encoding: 'buffer' });
  const { names, links, unreadable } = readEntries(entries, places);
  return {
    places,
    changeNs,
    changedMs: before !== undefined && isSame ? before.changedMs : nowMs,
    readMs: nowMs,
    names: names.length,
    folderId: fileStats(stats).fileId,
    paths: namedPaths(places, names),
    links,
    unreadable,
  };
}

/** What the entries of a folder are. A name that is not UTF-8 is no path here. */
function readEntries(
  entries: readonly Dirent<Buffer>[],
  places: readonly Place[],
): Pick<Listed, 'links' | 'unreadable'> & { names: string[] } {
  const folder = places[0]!.folder;
  const names: string[] = [];
  const links = new Set<string>();
  const unreadable = new Map<string, string>();
  for (const entry of entries) {
    const name = entry.name.toString();
    if (Buffer.from(name).equals(entry.name)) {
      names.push(name);
      if (entry.isSymbolicLink()) links.add(join(folder, name));
    } else if (!entry.isDirectory() && places.some(({ named }) => named(name) !== undefined)) {
      unreadable.set(join(folder, escaped(entry.name)), 'its name is not UTF-8: rename it');
    }
  }
  return { names: names.toSorted(), links, unreadable };
}

/** A name in ASCII, with `\xNN` for other bytes. */
function escaped(name: Buffer): string {
  return name
    .toString('latin1')
    .replaceAll(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
