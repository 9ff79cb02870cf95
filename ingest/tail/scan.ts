import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { kindOfBytes } from '../files/kind-of-bytes.js';
import { attempt } from './attempt.js';
import { fileStats, gunzipHead, openContent } from './content.js';
import type { Content, FileStats } from './content.js';
import { SAMPLE_BYTES_MAX } from './known-file.js';
import type { SeenFile } from './known-file.js';
import { Listings } from './listing.js';
import type { Listing } from './listing.js';
import type { Pattern } from './names.js';
import type { OwnFiles } from './own-files.js';

/** So many compressed bytes give SAMPLE_BYTES_MAX decompressed ones, and at most some megabytes. */
const GZ_HEAD_BYTES = 4096;
/**
 * In a folder of many names in which none has changed, a file that has been quiet for a while is
 * looked at again after this share of that while, and after at most so long.
 */
const QUIET_SHARE = 1 / 20;
const QUIET_LOOK_MS = 10_000;

/** What is wrong with a file from which not one byte can be decompressed, by its first bytes. */
const NO_GZ: Readonly<Record<string, string>> & { readonly plain: string } = {
  gz: 'the gz file is damaged, or ends within its first bytes',
  plain: 'its name ends in .gz, and it is no gz file',
};

interface Remembered {
  readonly size: number;
  readonly mtimeMs: number;
  readonly firstMs: number;
  readonly sinceMs: number;
  readonly kind: string;
  readonly head: Buffer;
}

/** What was found under a path, and when that was looked at. */
interface Look {
  readonly stats: FileStats;
  readonly atMs: number;
}

interface Found {
  readonly path: string;
  readonly named: SeenFile['named'];
  readonly stats: FileStats;
}

interface FindNotes {
  readonly unreadable: Map<string, string>;
  readonly foreign: Map<string, string>;
  readonly looked: Set<string>;
}

interface OpenFile {
  readonly content: Content;
  readonly path: string;
}

/** A file that is there, and of whose content nothing can be seen. */
export interface SealedFile extends Pick<
  SeenFile,
  'path' | 'fileId' | 'named' | 'size' | 'mtimeMs'
> {
  /** In words. */
  readonly why: string;
}

export interface Scan {
  readonly files: readonly SeenFile[];
  readonly sealed: readonly SealedFile[];
  /** Other paths that cannot be looked at, with the reason in words. */
  readonly unreadable: ReadonlyMap<string, string>;
  /** The folders of which every name could be looked at. */
  readonly looked: ReadonlySet<string>;
  /** Paths of what is not followed: what it is, in words. */
  readonly foreign: ReadonlyMap<string, string>;
}

export interface ScannerOptions {
  readonly patterns: readonly Pattern[];
  /** Files that are not logs. */
  readonly own: OwnFiles;
  /** How long a gz file may take until its beginning is there, ms. */
  readonly graceMs: number;
}

/** Looks at the files that patterns name. Only what has changed since is read again. */
export class Scanner {
  private remembered = new Map<string, Remembered>();
  private looks = new Map<string, Look>();
  private readonly listings: Listings;

  constructor(private readonly options: ScannerOptions) {
    this.listings = new Listings(options.patterns);
  }

  /**
   * Of a file with several names (hard links, symbolic links) the one counts that `usualPath` gives
   * for its id, else the first. `open` are the files that are open, by id and the path they had.
   */
  async scan(
    nowMs: number,
    open: readonly OpenFile[],
    usualPath: (fileId: string) => string | undefined,
  ): Promise<Scan> {
    const unreadable = new Map<string, string>();
    const foreign = new Map<string, string>();
    const listings = await this.listings.list(nowMs, unreadable);
    const looked = new Set(listings.keys());
    const found = await this.find(listings, nowMs, usualPath, { unreadable, foreign, looked });
    const openById = new Map(open.map((one) => [one.content.fileId, one]));
    for (const [fileId, { content, path }] of openById) {
      if (found.has(fileId)) continue;
      found.set(fileId, { path, named: 'gone', stats: await content.stats() });
    }
    const files: SeenFile[] = [];
    const sealed: SealedFile[] = [];
    const remembered = new Map<string, Remembered>();
    for (const [fileId, { path, named, stats }] of found) {
      let seen = this.remembered.get(fileId);
      if (seen?.size !== stats.size || seen.mtimeMs !== stats.mtimeMs) {
        const content = openById.get(fileId)?.content;
        const gone = named === 'gone' ? content : undefined;
        const usable = gone ?? (content?.gz === false ? content : undefined);
        const failed = new Map<string, string>();
        seen = await attempt(path, failed, () => this.look(path, stats, usable, nowMs));
        for (const why of failed.values()) sealed.push({ path, named, ...stats, why });
      }
      if (seen === undefined) continue;
      remembered.set(fileId, seen);
      if (seen.kind === 'plain' || seen.kind === 'gz')
        files.push(seenFile(path, named, stats, seen));
      else if (seen.kind !== 'unfinished') foreign.set(path, seen.kind);
      else if (stats.size > 0 && nowMs - seen.sinceMs >= this.options.graceMs) {
        const why = NO_GZ[kindOfBytes(seen.head)] ?? NO_GZ.plain;
        sealed.push({ path, named, ...stats, why });
      }
    }
    this.remembered = remembered;
    return { files, sealed, unreadable, foreign, looked };
  }

  /** The files behind the names, by id. */
  private async find(
    listings: ReadonlyMap<string, Listing>,
    nowMs: number,
    usualPath: (fileId: string) => string | undefined,
    { unreadable, foreign, looked }: FindNotes,
  ): Promise<Map<string, Found>> {
    const found = new Map<string, Found>();
    const looks = new Map<string, Look>();
    const { own } = this.options;
    const isOwn = await own.look();
    for (const [folder, listing] of listings) {
      const { folderId, paths, links, isSame } = listing;
      for (const [path, named] of paths) {
        if (isOwn(folderId, basename(path))) continue;
        if (links.has(path) && (await own.has(path))) continue;
        let look = isSame ? this.recent(path, nowMs) : undefined;
        look ??= await attempt(path, unreadable, async () => {
          return { stats: fileStats(await stat(path, { bigint: true })), atMs: nowMs };
        });
        if (look === undefined) {
          if (unreadable.has(path)) looked.delete(folder);
          continue;
        }
        looks.set(path, look);
        const { stats } = look;
        if (!stats.isFile) {
          if (!stats.isFolder) foreign.set(path, 'a pipe, socket or device');
          continue;
        }
        const other = found.get(stats.fileId);
        if (other === undefined || path === usualPath(stats.fileId)) {
          found.set(stats.fileId, { path, named, stats });
        } else if (named === 'asked' && other.path !== usualPath(stats.fileId)) {
          found.set(stats.fileId, { ...other, named });
        }
      }
    }
    this.looks = looks;
    return found;
  }

  /** What the path held at an earlier look, unless the next is due. */
  private recent(path: string, nowMs: number): Look | undefined {
    const look = this.looks.get(path);
    const sinceMs = look && this.remembered.get(look.stats.fileId)?.sinceMs;
    if (sinceMs === undefined) return undefined;
    const everyMs = Math.min((nowMs - sinceMs) * QUIET_SHARE, QUIET_LOOK_MS);
    return nowMs - look!.atMs < everyMs ? look : undefined;
  }

  /** Undefined if another file has the name by now. */
  private async look(
    path: string,
    stats: FileStats,
    open: Content | undefined,
    nowMs: number,
  ): Promise<Remembered | undefined> {
    const { size, mtimeMs, fileId } = stats;
    const before = this.remembered.get(fileId);
    const content = open ?? (await openContent(path, false));
    try {
      if (content.fileId !== fileId) return undefined;
      // Deleted while it is decompressed: there is no other way to its bytes.
      if (content.gz) return before && { ...before, size, mtimeMs, sinceMs: nowMs };
      const bytes = await content.read(0, GZ_HEAD_BYTES);
      const firstMs = before?.firstMs ?? nowMs;
      return { size, mtimeMs, firstMs, sinceMs: nowMs, ...headOf(path, bytes) };
    } finally {
      if (open === undefined) await content.close();
    }
  }
}

function seenFile(
  path: string,
  named: SeenFile['named'],
  { fileId, size, mtimeMs, bornMs }: FileStats,
  { kind, head, sinceMs: quietSinceMs, firstMs: firstSeenMs }: Remembered,
): SeenFile {
  const appearedMs = bornMs ?? firstSeenMs;
  const gz = kind === 'gz';
  return { path, fileId, size, mtimeMs, gz, head, named, quietSinceMs, firstSeenMs, appearedMs };
}

function headOf(path: string, bytes: Buffer): Pick<Remembered, 'kind' | 'head'> {
  const kind = kindOfBytes(bytes);
  const content = kind === 'gz' ? gunzipHead(bytes) : bytes;
  // A gz file that somebody has just begun to write.
  if (content === undefined || (kind === 'plain' && path.endsWith('.gz'))) {
    return { kind: 'unfinished', head: bytes };
  }
  return { kind, head: Buffer.from(content.subarray(0, SAMPLE_BYTES_MAX)) };
}
