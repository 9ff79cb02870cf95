import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { CheckpointFile } from '../../ingest/files/checkpoint.js';
import { openInputFile } from '../../ingest/files/input-file.js';
import { TrackedItems } from '../../ingest/files/tracked-items.js';
import type { ReadPosition } from '../../ingest/files/tracked-items.js';
import { openRecordReader } from '../../ingest/formats/record-reader.js';
import { parseMapping } from '../../ingest/mapping/mapping.js';

const MAPPING = parseMapping(
  'event_id: {position: true}\nad_id: {column: ad}\n' +
    'timestamp: {column: at, format: epoch_ms}\nfields: {device: {column: d}}',
  'test',
);

const dir = mkdtempSync(join(tmpdir(), 'truecount-tracked-'));
afterAll(() => {
  rmSync(dir, { recursive: true });
});

interface Seen {
  readonly items: unknown[];
  readonly positions: (ReadPosition | undefined)[];
}

async function readFrom(path: string, position?: ReadPosition): Promise<Seen> {
  const options = { format: 'csv', mapping: MAPPING } as const;
  const reader = openRecordReader({ ...options, state: position?.reader });
  const from = position?.offset ?? 0;
  const tracked = new TrackedItems(openInputFile(path).chunks(from), reader, from);
  const seen: Seen = { items: [], positions: [] };
  for await (const item of tracked) {
    seen.items.push(item.kind === 'record' ? [item.line, item.bytes.toString()] : item);
    seen.positions.push(tracked.position());
  }
  return seen;
}

describe('TrackedItems', () => {
  it('goes on from any position with what came behind it, also in a compressed file', async () => {
    const row = fc.constantFrom(
      'a,17,x',
      'a,18,"two\r\nlines"',
      'a,never,x',
      '',
      'a,"1',
      '1",é',
      'b',
    );
    const content = fc.record({
      rows: fc.array(row, { minLength: 1, maxLength: 12 }),
      end: fc.constantFrom('\n', '\r\n'),
      isClosed: fc.boolean(),
      isGz: fc.boolean(),
    });
    let resumed = 0;
    const property = fc.asyncProperty(content, async ({ rows, end, isClosed, isGz }) => {
      // Quotes are paired behind the rows, so that the file is a CSV to its end.
      const text = ['\ufeffad,at,d', ...rows, '1",é', 'c,19,y'].join(end) + (isClosed ? end : '');
      const path = join(dir, 'clicks');
      writeFileSync(path, isGz ? gzipSync(text) : text);
      let whole: Seen;
      try {
        whole = await readFrom(path);
      } catch {
        return; // A quote that is never closed.
      }
      for (const [index, position] of whole.positions.entries()) {
        if (position === undefined) continue;
        const rest = await readFrom(path, JSON.parse(JSON.stringify(position)) as ReadPosition);
        expect(rest.items).toEqual(whole.items.slice(index + 1));
        resumed += 1;
      }
      expect(whole.positions.at(-1) === undefined).toBe(!isClosed);
    });
    await fc.assert(property, { numRuns: 60 });
    expect(resumed).toBeGreaterThan(100);
  });
});

describe('the identity of a file', () => {
  const identityOf = (content: string | Buffer, mtime: number): string | undefined => {
    const path = join(dir, 'identity');
    writeFileSync(path, content);
    utimesSync(path, mtime, mtime);
    return openInputFile(path).identity;
  };

  it('is another when the file grew, was touched or begins in another way', () => {
    const all = [
      identityOf('a\n', 1_000),
      identityOf('a\nb\n', 1_000),
      identityOf('a\n', 1_001),
      identityOf('b\n', 1_000),
    ];
    expect(new Set(all).size).toBe(4);
    expect(identityOf('a\n', 1_000)).toBe(all[0]);
  });

  it('is not there for what cannot be read twice', () => {
    expect(openInputFile('-').identity).toBeUndefined();
  });
});

describe('a checkpoint', () => {
  const checkpoint = {
    file: '/a',
    offset: 7,
    reader: { line: 1, row: 0, chain: '' },
    partition: 0,
    logOffset: 3,
    appendMs: 1_700_000_000_000,
    recordHash: 'ab',
    sent: 1,
    bytes: 5,
    rejected: 0,
  };

  it('is read as it was written, by its parts alone, until it is removed', () => {
    const folder = join(dir, 'checkpoints');
    const file = new CheckpointFile(folder, ['a', 'b']);
    expect(file.read()).toBeUndefined();
    file.remove();
    file.write(checkpoint);
    expect(new CheckpointFile(folder, ['a', 'b']).read()).toMatchObject(checkpoint);
    expect(new CheckpointFile(folder, ['ab', '']).read()).toBeUndefined();
    file.remove();
    expect(file.read()).toBeUndefined();
  });

  it.each(['', '{', 'null', '{}', '[]'])('that holds %j is none', (text) => {
    const folder = join(dir, 'damaged');
    const file = new CheckpointFile(folder, ['x']);
    file.write(checkpoint);
    writeFileSync(file.path, text);
    expect(file.read()).toBeUndefined();
  });

  it('that another version wrote is told from none', () => {
    const file = new CheckpointFile(join(dir, 'old'), ['x']);
    file.write(checkpoint);
    writeFileSync(file.path, JSON.stringify({ ...checkpoint, version: 1 }));
    expect(file.read()).toBe('of another version');
  });
});
