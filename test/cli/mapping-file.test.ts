import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readMappingFile } from '../../cli/mapping-file.js';

it('a mapping in Latin-1 is refused with its line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mapping-file-'));
  const file = join(folder, 'latin.yaml');
  const text = 'event_id: { column: id }\nad_id: { column: anzeige }\ntimestamp:\n';
  const more = '  { column: zeit, format: epoch_s }\nfields: { country: { column: l\xe4nder } }\n';
  try {
    writeFileSync(file, Buffer.from(text + more, 'latin1'));
    expect(() => readMappingFile(file)).toThrow(
      expect.objectContaining({
        code: 'invalid_mapping',
        message: `mapping ${file}, line 5: is not UTF-8`,
      }) as Error,
    );
    writeFileSync(file, text + more);
    expect(readMappingFile(file).mapping.fields).toEqual({ country: { column: 'l\xe4nder' } });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
