import { readdir, stat } from 'node:fs/promises';
import { fileStats, gunzipHead, kindOfBytes, openContent } from './content.js';
import type { Content, FileStats } from './content.js';
import { SAMPLE_BYTES_MAX } from './known-file.js';
import type { SeenFile } from './known-file.js';
import { namedPaths } from './names.js';
import type { Pattern } from './names.js';

/** So many compressed bytes give SAMPLE_BYTES_MAX decompressed ones, and at most some megabytes. */
const GZ_HEAD_BYTES = 4096;

interface Remembered {
  readonly size: number;
  readonly mtimeMs: number;
  readonly firstMs: number;
  readonly sinceMs: number;
  readonly kind: string;
  readonly head: Buffer;
}

export interface Scan {
  readonly files: readonly SeenFile[];
  /** Paths that could not be looked at, with the reason in words. */
  readonly unreadable: ReadonlyMap<string, string>;
  /** Paths of files that are compressed in a way that is not read, with its name. */
  readonly foreign: ReadonlyMap<string, string>;
}

/** Looks at the files that patterns name. Only what has changed since is read again. */
export class Scanner {
  private remembered = new Map<string, Remembered>();

  constructor(
    private readonly patterns: readonly Pattern[],
    /** Files that are not logs: the tail's own. */
    private readonly isOwn: (path: string) => boolean,
  ) {}

  /**
   * Of a file with several names (hard links, symbolic links) the one counts that `usualPath` gives
   * for its id, else the first. `open` are the files that are open, by id and the path they had.
   */
  async scan(
    nowMs: number,
    open: readonly { readonly content: Content; readonly path: string }[],
    usualPath: (fileId: string) => string | undefined,
  ): Promise<Scan> {
    const unreadable = new Map<string, string>();
    const foreign = new Map<string, string>();
    const found = new Map<string, { path: string; named: SeenFile['named']; stats: FileStats }>();
    for (const [path, named] of await this.paths(unreadable)) {
      const stats = await attempt(path, unreadable, async () =>
        fileStats(await stat(path, { bigint: true })),
      );
      if (stats === undefined || !stats.isFile) continue;
      const other = found.get(stats.fileId);
      if (other === undefined || path === usualPath(stats.fileId)) {
        found.set(stats.fileId, { path, named, stats });
      } else if (named === 'asked' && other.path !== usualPath(stats.fileId)) {
        found.set(stats.fileId, { ...other, named });
      }
    }
    for (const { content, path } of open) {
      if (found.has(content.fileId)) continue;
      found.set(content.fileId, { path, named: 'gone', stats: await content.stats() });
    }
    const files: SeenFile[] = [];
    const remembered = new Map<string, Remembered>();
    for (const { path, named, stats } of found.values()) {
      const content = open.find((one) => one.content.fileId === stats.fileId)?.content;
      const seen = await attempt(path, unreadable, () => {
        const gone = named === 'gone' ? content : undefined;
        return this.look(path, stats, gone ?? (content?.gz === false ? content : undefined), nowMs);
      });
      if (seen === undefined) continue;
      remembered.set(stats.fileId, seen);
      if (seen.kind === 'plain' || seen.kind === 'gz') {
        const { fileId, size, mtimeMs } = stats;
        const gz = seen.kind === 'gz';
        const { head, sinceMs: quietSinceMs, firstMs: firstSeenMs } = seen;
        files.push({ path, fileId, size, mtimeMs, gz, head, named, quietSinceMs, firstSeenMs });
      } else if (seen.kind !== 'unfinished') {
        foreign.set(path, seen.kind);
      }
    }
    this.remembered = remembered;
    return { files, unreadable, foreign };
  }

  private async paths(
    unreadable: Map<string, string>,
  ): Promise<ReadonlyMap<string, 'asked' | 'rotated'>> {
    const names = new Map<string, readonly string[]>();
    for (const { folder } of this.patterns) {
      if (names.has(folder)) continue;
      const found = await attempt(folder, unreadable, () => readdir(folder));
      names.set(folder, (found ?? []).toSorted());
    }
    const paths = namedPaths(this.patterns, (folder) => names.get(folder)!);
    for (const path of paths.keys()) {
      if (this.isOwn(path)) paths.delete(path);
    }
    return paths;
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
    if (before?.size === size && before.mtimeMs === mtimeMs) return before;
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

function headOf(path: string, bytes: Buffer): Pick<Remembered, 'kind' | 'head'> {
  const kind = kindOfBytes(bytes);
  // A gz file that somebody has just begun to write.
  if (kind === 'plain' && path.endsWith('.gz')) return { kind: 'unfinished', head: bytes };
  const content = kind === 'gz' ? gunzipHead(bytes) : bytes;
  const unfinished = kind === 'gz' && content.length === 0;
  return {
    kind: unfinished ? 'unfinished' : kind,
    head: Buffer.from(content.subarray(0, SAMPLE_BYTES_MAX)),
  };
}

/** Runs a look at a path. Gone meanwhile is nothing; another failure is noted. */
async function attempt<T>(
  path: string,
  unreadable: Map<string, string>,
  look: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') unreadable.set(path, code === 'EACCES' ? 'permission denied' : message);
    return undefined;
  }
}
