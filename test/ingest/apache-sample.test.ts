import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { parseClick } from '../../core/click/parse.js';
import { readItems } from '../../ingest/formats/read-items.js';
import { openRecordReader } from '../../ingest/formats/record-reader.js';
import { parseMapping } from '../../ingest/mapping/mapping.js';
import { skipUnless } from '../support/skip-unless.js';

const LOG = new URL('../../../shared/data/apache_access.log', import.meta.url);
const EXAMPLE = new URL('../../examples/apache.mapping.yaml', import.meta.url);
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/**
 * Clicks by path and minute, counted without our parser: by the quotes that a complete line has
 * (this log escapes none of those in front of its request), and Date.parse.
 */
function independentCount(text: string): { cells: Map<string, number>; cutShort: number[] } {
  const cells = new Map<string, number>();
  const cutShort: number[] = [];
  text
    .trimEnd()
    .split('\n')
    .forEach((line, index) => {
      if (!line.endsWith('"') || line.split('"').length < 7) return cutShort.push(index + 1);
      const path = line.split('"')[1]!.split(' ')[1]!.split('?')[0]!;
      const [day, month, year, ...time] = line.split('[')[1]!.split(']')[0]!.split(/[/: ]/);
      const date = `${year!}-${String(MONTHS.indexOf(month!) + 1).padStart(2, '0')}-${day!}`;
      const ms = Date.parse(`${date}T${time.slice(0, 3).join(':')}${time[3]!.slice(0, 3)}:00`);
      const cell = `${path} ${Math.floor(ms / 60_000)}`;
      return cells.set(cell, (cells.get(cell) ?? 0) + 1);
    });
  return { cells, cutShort };
}

describe('the Apache log through its example mapping', () => {
  skipUnless(existsSync(LOG), 'the Apache log is not on this machine')(
    'gives one click per request, as counted without our parser, and rejects the line cut short',
    async () => {
      const mapping = parseMapping(readFileSync(EXAMPLE, 'utf8'), 'apache');
      const reader = openRecordReader({ format: 'combined-log', mapping });
      const cells = new Map<string, number>();
      const ids = new Set<string>();
      const rejections: unknown[] = [];
      for await (const item of readItems(createReadStream(LOG), reader)) {
        if (item.kind === 'rejected') {
          rejections.push(item);
          continue;
        }
        const decoded = parseClick(item.bytes, Infinity, ['ip', 'user_agent', 'method', 'status']);
        if (decoded.kind === 'rejected') throw new Error(`line ${item.line}: ${decoded.detail}`);
        const { adId, eventId, eventMs } = decoded.click;
        const cell = `${adId} ${Math.floor(eventMs / 60_000)}`;
        cells.set(cell, (cells.get(cell) ?? 0) + 1);
        ids.add(eventId);
      }
      const expected = independentCount(readFileSync(LOG, 'utf8'));
      expect(cells).toEqual(expected.cells);
      expect(ids.size).toBe(9_999);
      expect(expected.cutShort.length).toBe(1);
      expect(rejections).toEqual([
        {
          kind: 'rejected',
          line: expected.cutShort[0],
          column: expect.any(Number) as number,
          reason: expect.stringContaining('expected its closing quote behind user_agent') as string,
        },
      ]);
    },
  );
});
