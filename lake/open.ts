import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TruecountError } from '../core/errors.js';
import { openLocalLake } from './local-folder.js';
import type { LakeStore } from './store.js';

/** Two letters at least: one is a drive. */
const SCHEME = /^([a-z][a-z0-9+.-]+):/i;

/**
 * Opens the lake at an address: a folder, or `file://`.
 * @throws TruecountError `invalid_config` for an address of another kind
 */
export function openLake(url: string): LakeStore {
  const scheme = SCHEME.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) return openLocalLake(resolve(url));
  if (scheme === 'file') return openLocalLake(folderOf(url));
  throw new TruecountError('invalid_config', `lakeUrl: a lake at ${scheme}:// is not supported`, {
    hint: 'set lakeUrl (TRUECOUNT_LAKE_URL) to a folder that all services share',
  });
}

function folderOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new TruecountError('invalid_config', `lakeUrl: ${url} names no folder`, {
      hint: 'file:///absolute/path, or the path alone',
      cause,
    });
  }
}
