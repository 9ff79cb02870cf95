import { readdirSync, statSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import type { Pattern } from './names.js';

/** Why there is nothing to follow for an argument yet; undefined if there is something. */
export function whyUnmatched({ place, folder }: Pattern): string | undefined {
  const { folder: path, named } = folder !== undefined && isFolder(folder.folder) ? folder : place;
  if (!isFolder(path)) return `there is no folder ${path} yet`;
  let entries: Dirent[];
  try {
    entries = readdirSync(path, { withFileTypes: true });
  } catch {
    // Why it cannot be read is said when it is looked at.
    return undefined;
  }
  const isMatched = entries.some((one) => !one.isDirectory() && named(one.name) !== undefined);
  return isMatched ? undefined : 'there is no such file yet';
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
