import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { access, copyFile, link, mkdir, open, readdir, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { TruecountError } from '../core/errors.js';
import type { LakeStore, UnfinishedPut } from './store.js';

/** Objects on their way in from another file system; no key may begin with it. */
const INCOMING = '.incoming';
/** One of them; what a file system hides there is its own. */
const INCOMING_NAME = /^\.incoming\/[A-Za-z0-9_-]+$/;
/** Parts of a key: no hidden names, nothing that a file system or a URL would read otherwise. */
const KEY = /^[A-Za-z0-9_=-][A-Za-z0-9._=-]*(\/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)*$/;

/** A lake in a folder, one file an object. It is made when the first object arrives. */
export function openLocalLake(folder: string): LakeStore {
  const root = resolve(folder);
  const pathOf = (key: string): string => {
    if (KEY.test(key)) return join(root, ...key.split('/'));
    throw new TruecountError('invalid_argument', `${key} is no key of a lake object`);
  };
  return {
    url: root,
    put: (key, localPath) => guarded(key, () => put(root, key, pathOf(key), localPath)),
    fetch: (key) =>
      guarded(key, async () => {
        const path = pathOf(key);
        await access(path, constants.R_OK);
        return { path, release: () => Promise.resolve() };
      }),
    list: (prefix) => list(root, prefix),
    remove: (key) => guarded(key, () => rm(pathOf(key), { force: true })),
    unfinished: () => unfinished(root),
    discard: (name) => guarded(name, () => discard(root, name)),
  };
}

/**
 * A hard link makes the object appear whole or not at all, and fails if the key exists. Durable:
 * the bytes first, then the names, up to the folder that holds the lake.
 */
async function put(root: string, key: string, path: string, localPath: string): Promise<void> {
  await sync(localPath);
  await mkdir(dirname(path), { recursive: true });
  try {
    await linkInto(root, localPath, path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    throw new TruecountError('conflict', `${key} is in the lake already`, {
      hint: 'a key is used once: name the object anew',
      context: { key },
    });
  }
  // All folders of the key: another writer may have made one just now and not have synced it.
  for (let at = dirname(path); at.length >= dirname(root).length; at = dirname(at)) {
    await sync(at);
    if (at === dirname(at)) break;
  }
  await unlink(localPath);
}

async function linkInto(root: string, localPath: string, path: string): Promise<void> {
  try {
    await link(localPath, path);
  } catch (error) {
    if (codeOf(error) !== 'EXDEV') throw error;
    const incoming = join(root, INCOMING, randomUUID());
    await mkdir(dirname(incoming), { recursive: true });
    try {
      await copyFile(localPath, incoming);
      await sync(incoming);
      await link(incoming, path);
    } finally {
      await rm(incoming, { force: true });
    }
  }
}

async function* list(
  root: string,
  prefix: string,
): AsyncGenerator<{ readonly key: string; readonly bytes: number }> {
  // Only the folder that the prefix names is walked.
  const slash = prefix.lastIndexOf('/');
  const pending = [join(root, prefix.slice(0, slash + 1))];
  for (;;) {
    const folder = pending.pop();
    if (folder === undefined) return;
    for (const entry of await entriesOf(folder)) {
      const path = join(folder, entry.name);
      const key = relative(root, path).split(sep).join('/');
      if (key === INCOMING || !(key.startsWith(prefix) || prefix.startsWith(`${key}/`))) continue;
      if (entry.isDirectory()) pending.push(path);
      else if (entry.isFile() && key.startsWith(prefix)) {
        const found = await statOf(path);
        if (found !== undefined) yield { key, bytes: found.size };
      }
    }
  }
}

/** Copies from another file system that did not become objects, or that stayed after they did. */
async function* unfinished(root: string): AsyncGenerator<UnfinishedPut> {
  for (const entry of await entriesOf(join(root, INCOMING))) {
    const name = `${INCOMING}/${entry.name}`;
    if (!entry.isFile() || !INCOMING_NAME.test(name)) continue;
    const found = await statOf(join(root, name));
    if (found !== undefined) yield { name, bytes: found.size, sinceMs: found.mtimeMs };
  }
}

async function discard(root: string, name: string): Promise<void> {
  if (!INCOMING_NAME.test(name)) {
    throw new TruecountError('invalid_argument', `${name} is no unfinished put`);
  }
  await rm(join(root, name), { force: true });
}

async function entriesOf(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw unavailable(folder, error);
  }
}

/** Undefined if it was removed meanwhile. */
async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw unavailable(path, error);
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function guarded<T>(key: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TruecountError) throw error;
    if (codeOf(error) === 'ENOENT') {
      throw new TruecountError('lake_file_missing', `${key} is not in the lake`, {
        hint: 'it was removed by somebody else: truecount removes no file that is listed',
        context: { key },
        cause: error,
      });
    }
    throw unavailable(key, error);
  }
}

function unavailable(what: string, cause: unknown): TruecountError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new TruecountError('lake_unavailable', `the lake does not serve ${what}: ${why}`, {
    hint: 'is the folder mounted, writable and not full?',
    cause,
  });
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
