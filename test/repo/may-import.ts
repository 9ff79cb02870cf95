import { join } from 'node:path';

/** Folder → folders it may import, `null` for all: the table of eslint.config.mjs. */
export async function mayImport(): Promise<Record<string, readonly string[] | null>> {
  const path = join(import.meta.dirname, '..', '..', 'eslint.config.mjs'); // JavaScript: no types
  const { MAY_IMPORT } = (await import(path)) as {
    MAY_IMPORT: Record<string, readonly string[] | null>;
  };
  return MAY_IMPORT;
}
