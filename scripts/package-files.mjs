// What the scripts know of the folder of the project.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

export function readJson(...path) {
  return JSON.parse(readFileSync(join(...path), 'utf8'));
}
