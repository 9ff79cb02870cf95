import { readFileSync } from 'node:fs';
import { TruecountError } from '../core/errors.js';
import { utf8Text } from '../core/utf8.js';
import { parseMapping } from '../ingest/mapping/mapping.js';

/**
 * Reads a mapping that an option names, and its text.
 * @throws TruecountError `not_found`, `invalid_mapping`
 */
export function readMappingFile(path: string): {
  readonly text: string;
  readonly mapping: ReturnType<typeof parseMapping>;
} {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new TruecountError('not_found', `cannot read the mapping ${path}`, {
      hint: 'examples/ has mappings to begin with',
      cause,
    });
  }
  const text = utf8Text(bytes, (line) => {
    const where = `${path}, line ${String(line)}`;
    return new TruecountError('invalid_mapping', `mapping ${where}: is not UTF-8`, {
      hint: 'save the file as UTF-8: the name of a column would match none',
      context: { mapping: path, line },
    });
  });
  return { text, mapping: parseMapping(text, path) };
}
