import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sqlTruth } from '../../cli/demo/sql-truth.js';

test('an ad whose id begins with U+FEFF is another ad than one without', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'truth-'));
  const timestamp = Date.UTC(2026, 10, 1, 6);
  const records = ['bom', '\ufeffbom'].map((ad, i) =>
    JSON.stringify({ event_id: `e${String(i)}`, ad_id: ad, timestamp: String(timestamp) }),
  );
  try {
    writeFileSync(join(folder, 'clicks.ndjson'), records.join('\n'));
    const cells = await sqlTruth(join(folder, 'clicks.ndjson'), 'ndjson', undefined);
    expect([...cells].filter(([key]) => key.endsWith('|')).sort()).toEqual([
      [`bom|${String(timestamp)}|`, 1],
      [`\ufeffbom|${String(timestamp)}|`, 1],
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
