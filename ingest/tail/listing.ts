import { readdir, stat } from 'node:fs/promises';
import { groupBy } from '../../core/group-by.js';
import { attempt } from './attempt.js';
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
  readonly paths: ReadonlyMap<string, 'asked' | 'rotated'>;
}

export interface Listing {
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
      listings.set(folder, { paths: now.paths, isSame: now === before });
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
  const { mtimeNs: changeNs } = await stat(folder, { bigint: true });
  const isSame =
    before?.changeNs === changeNs &&
    before.places.length === places.length &&
    before.places.every((place, i) => place === places[i]);
  const isRecent = before === undefined || nowMs - before.readMs < READ_EVERY_MS;
  const isSettled = before !== undefined && nowMs - before.changedMs >= COARSE_MS;
  if (isSame && isRecent && isSettled && before.names >= NAMES_MANY) return before;
  const names = (await readdir(folder)).toSorted();
  return {
    places,
    changeNs,
    changedMs: before !== undefined && isSame ? before.changedMs : nowMs,
    readMs: nowMs,
    names: names.length,
    paths: namedPaths(places, names),
  };
}
