import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Log } from './component.js';
import { isRunning, processRef, type ProcessRef } from './process.js';

/** Folder for downloaded and built binaries, one per user: XDG_CACHE_HOME or the system's usual. */
export function cacheRoot(): string {
  const xdg = process.env['XDG_CACHE_HOME'];
  if (xdg !== undefined && xdg !== '') return join(xdg, 'truecount');
  const usual = process.platform === 'darwin' ? 'Library/Caches' : '.cache';
  return join(homedir(), usual, 'truecount');
}

/**
 * The cached folder `name`, made by `make` in a temporary folder if it is absent: it is there whole
 * or not at all. Of several processes one makes it and the others wait.
 */
export async function cached(
  name: string,
  log: Log,
  make: (dir: string) => Promise<void>,
): Promise<string> {
  const dir = join(cacheRoot(), name);
  if (existsSync(dir)) return dir;
  mkdirSync(cacheRoot(), { recursive: true });
  const release = await lock(`${dir}.lock`, () => {
    log(`waiting for another process that prepares ${name}`);
  });
  try {
    if (existsSync(dir)) return dir;
    const part = `${dir}.part`;
    rmSync(part, { recursive: true, force: true });
    mkdirSync(part);
    await make(part);
    renameSync(part, dir);
    return dir;
  } finally {
    release();
  }
}

/** A lock file with its holder's process in it: that of a process which is gone is taken over. */
async function lock(file: string, onWait: () => void): Promise<() => void> {
  const own = JSON.stringify(processRef(process.pid));
  for (let waited = false; ; waited = true) {
    try {
      writeFileSync(file, own, { flag: 'wx' });
      return () => {
        rmSync(file, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (holderIsGone(file)) rmSync(file, { force: true });
    else {
      if (!waited) onWait();
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

function holderIsGone(file: string): boolean {
  try {
    return !isRunning(JSON.parse(readFileSync(file, 'utf8')) as ProcessRef);
  } catch {
    return !existsSync(file); // being written, or released just now
  }
}

/** Whether the cached folder is there already. */
export function isCached(name: string): boolean {
  return existsSync(join(cacheRoot(), name));
}
