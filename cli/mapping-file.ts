import { readFileSync } from 'node:fs';
import { TruecountError } from '../core/errors.js';
import { parseMapping } from '../ingest/mapping/mapping.js';

/**
 * Reads a mapping that an option names, and its text.
 * @throws TruecountError `not_found`, `invalid_mapping`
 */
export function readMappingFile(path: string): {
  readonly text: string;
  readonly mapping: ReturnType<typeof parseMapping>;
} {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new TruecountError('not_found', `cannot read the mapping ${path}`, {
      hint: 'examples/ has mappings to begin with',
      cause,
    });
  }
  return { text, mapping: parseMapping(text, path) };
}
