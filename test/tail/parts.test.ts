import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatByName } from '../../ingest/formats/format-by-name.js';
import { openContent } from '../../ingest/tail/content.js';
import type { Content } from '../../ingest/tail/content.js';
import { START } from '../../ingest/tail/known-file.js';
import { StateLock } from '../../ingest/tail/lock.js';
import { ReasonKinds } from '../../ingest/tail/metrics.js';
import { globExpression, namedPaths, parsePattern } from '../../ingest/tail/names.js';
import { RejectsFile } from '../../ingest/tail/rejects.js';
import { readState, writeState } from '../../ingest/tail/state-file.js';
import type { TailState } from '../../ingest/tail/state-file.js';
import { takeLines } from '../../ingest/tail/take-lines.js';
import { UnreadSince } from '../../ingest/tail/unread.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'truecount-tail-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('takeLines', () => {
  it('gives the same lines however the bytes arrive', () => {
    const text = fc.array(fc.constantFrom('a', 'é', '\n', '\r', 'long'.repeat(4)), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(text, fc.array(fc.nat(9)), (parts, sizes) => {
        const all = Buffer.from(parts.join(''));
        const bytesMax = 10;
        const lines: (string | null)[] = [];
        let skipping = false;
        let from = 0;
        let to = 0;
        for (let i = 0; to < all.length; i++) {
          to = Math.min(all.length, to + 1 + (sizes[i] ?? 3));
          const last = to === all.length;
          const inputs = { bytesMax, skipping, last };
          const taken = takeLines(all.subarray(from, to), inputs);
          lines.push(...taken.lines.map(({ bytes }) => bytes && bytes.toString('latin1')));
          from += taken.taken;
          ({ skipping } = taken);
        }
        const expected = all.toString('latin1').split('\n');
        if (expected.at(-1) === '') expected.pop();
        expect(lines).toEqual(expected.map((line) => (line.length > bytesMax ? null : line)));
      }),
    );
  });
});

describe('names', () => {
  it.each([
    ['*.log', ['a.log', '.log'], ['a.log']],
    ['.*', ['.a', 'a'], ['.a']],
    ['a?c', ['abc', 'ac', 'a.c'], ['abc', 'a.c']],
    ['[a-c]*', ['b1', 'd1'], ['b1']],
    ['[!a]', ['a', 'b'], ['b']],
    ['[]x]', [']', 'x', 'y'], [']', 'x']],
    ['a+(b)$', ['a+(b)$', 'aab'], ['a+(b)$']],
    ['[', ['['], ['[']],
  ])('%s names of %j those: %j', (glob, names, expected) => {
    expect(names.filter((name) => globExpression(glob).test(name))).toEqual(expected);
  });

  it('a file stands for its rotated names, too; a folder for what is in it', () => {
    const names = ['a.log', 'a.log.1', 'a.log-20261121.gz', 'a.logs', '.hidden'];
    const named = ['a.log', 'a.log.1'].map((name) => parsePattern(name, '/l', existsSync).place);
    expect(Object.fromEntries(namedPaths(named, names))).toEqual({
      '/l/a.log': 'asked',
      '/l/a.log.1': 'asked',
      '/l/a.log-20261121.gz': 'rotated',
    });
    const inside = Object.fromEntries(names.slice(0, 4).map((name) => [`/m/${name}`, 'asked']));
    const { place, folder } = parsePattern('/m', '/l', existsSync);
    expect(place.folder).toBe('/');
    expect(Object.fromEntries(namedPaths([folder!], names))).toEqual(inside);
    const { place: always } = parsePattern('/m/', '/l', existsSync);
    expect(Object.fromEntries(namedPaths([always], names))).toEqual(inside);
  });

  it.each(['/var/*/a.log', '/var/*/'])('refuses a wildcard in the name of a folder: %s', (path) => {
    expect(() => parsePattern(path, '/', existsSync)).toThrow('last part');
  });

  it.each([
    ['clicks.csv', 'csv'],
    ['clicks.csv.1.gz', 'csv'],
    ['clicks-2026.TSV', 'tsv'],
    ['csvs.log', 'ndjson'],
  ])('%s is %s', (name, format) => {
    expect(formatByName(join('/csv', name))).toBe(format);
  });
});

const FILE = {
  ...START,
  id: 1,
  path: '/a',
  firstPath: '/a',
  fileId: '1:2',
  archiveBytes: null,
  lastSeenMs: 7,
};

describe('the state file', () => {
  const owner = { source: 'host', topic: 'clicks', format: 'csv' };
  const path = (): string => join(folder, 'state.json');

  it('is read as it was written, and nothing else is left beside it', async () => {
    const file = { ...FILE, reader: { line: 1, row: 1, chain: 'x', header: ['a'] } };
    const old = { mtimeMs: 3.5, head: { bytes: 3, sha256: 'x' } };
    const begun = readState(path(), owner, 5);
    const known = { nextId: 2, files: [file], asked: ['/a'], leftAlone: [old] };
    const state: TailState = { ...begun, ...known };
    await writeState(path(), state);
    expect(readState(path(), owner, 9)).toEqual({ ...state, createdMs: 5 });
    expect(readdirSync(folder)).toEqual(['state.json']);
  });

  it.each([
    ['cut off', '{"version":1,'],
    ['empty', ''],
    ['of another version', '{"version":2}'],
    ['with a negative offset', JSON.stringify({ version: 1, ...owner, files: [{ offset: -1 }] })],
  ])('that is %s is refused with what to do', (_, text) => {
    writeFileSync(path(), text);
    expect(() => readState(path(), owner, 0)).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        hint: expect.stringContaining('copy') as string,
      }),
    );
  });

  it.each(['source', 'topic', 'format'] as const)(
    'is refused with another %s once something was read',
    async (key) => {
      const other = { ...owner, [key]: 'other' };
      const state: TailState = { ...readState(path(), owner, 0), nextId: 2, files: [FILE] };
      await writeState(path(), state);
      expect(readState(path(), other, 0)).toEqual({ ...state, ...other });
      await writeState(path(), { ...state, files: [{ ...FILE, offset: 1 }] });
      expect(() => readState(path(), other, 0)).toThrow(
        expect.objectContaining({
          code: 'conflict',
          message: expect.stringContaining(key) as string,
        }),
      );
    },
  );
});

describe('the lock of a state', () => {
  const path = (): string => join(folder, 'lock');
  const alive = { startedOf: () => 'now' };
  const dead = { startedOf: (pid: number) => (pid === process.pid ? 'later' : undefined) };

  it('is for one at a time, and free when it is released', () => {
    const lock = StateLock.take(path(), alive, Date.now());
    expect(() => StateLock.take(path(), alive, Date.now())).toThrow(
      expect.objectContaining({ code: 'conflict' }),
    );
    lock.release();
    StateLock.take(path(), alive, Date.now()).release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('of a dead process is taken over, and the dead one would notice', async () => {
    const lock = StateLock.take(path(), alive, Date.now());
    StateLock.take(path(), dead, Date.now());
    await expect(lock.hold()).rejects.toMatchObject({ code: 'conflict' });
    lock.release();
    expect(readdirSync(folder)).toEqual(['lock']);
  });

  it('of another host is taken over after a silence', () => {
    writeFileSync(path(), '{"host":"elsewhere","pid":1,"started":"x","token":"t"}');
    expect(() => StateLock.take(path(), alive, Date.now())).toThrow('elsewhere');
    const past = new Date(Date.now() - 31_000);
    utimesSync(path(), past, past);
    StateLock.take(path(), alive, Date.now()).release();
  });

  it('that was removed ends the tail, which does not speak of another one', async () => {
    const lock = StateLock.take(path(), alive, Date.now());
    rmSync(path());
    const why = { code: 'conflict', message: `the lock of the state file is gone: ${path()}` };
    await expect(lock.hold()).rejects.toMatchObject(why);
  });

  it('that a crash left half written is no lock', () => {
    writeFileSync(path(), '{"host"');
    StateLock.take(path(), alive, Date.now()).release();
  });
});

describe('the content of a gz file', () => {
  it('can be read again from before, also where it was not read to its end', async () => {
    const path = join(folder, 'x.gz');
    const bytes = Buffer.from(Array.from({ length: 2_000_000 }, (_, i) => (i * i) % 251));
    writeFileSync(path, Buffer.concat([gzipSync(bytes), Buffer.alloc(100_000)]));
    const content = await openContent(path, true);
    for (const at of [500_000, 0, 1_999_000, 1_000, 1_999_999, 0]) {
      expect((await content.read(at, 1_000)).equals(bytes.subarray(at, at + 1_000))).toBe(true);
    }
    await content.close();
  });

  /** Runs once, when a read has come to the end of the file: what it gives that read, or throws. */
  const atEnd = async (path: string, event: () => void): Promise<Content> => {
    const content = await openContent(path, true);
    const { handle } = content as unknown as { handle: FileHandle };
    const read = handle.read.bind(handle) as (...args: unknown[]) => Promise<{ bytesRead: number }>;
    let isOver = false;
    const once = async (...args: unknown[]): Promise<{ bytesRead: number }> => {
      const result = await read(...args);
      if (result.bytesRead > 0 || isOver) return result;
      isOver = true;
      event();
      return result;
    };
    Object.assign(handle, { read: once });
    return content;
  };

  it('ends where the file ended, though another member is appended at that moment', async () => {
    const path = join(folder, 'a.gz');
    writeFileSync(path, gzipSync('one\n'));
    const content = await atEnd(path, () => {
      appendFileSync(path, gzipSync('two\n'));
    });
    expect((await content.read(0, 100)).toString()).toBe('one\n');
    expect(content.ended).toBe('whole');
    await content.close();
    const again = await openContent(path, true);
    expect((await again.read(0, 100)).toString()).toBe('one\ntwo\n');
    await again.close();
  });

  it('is read from its beginning after a read that failed', async () => {
    const path = join(folder, 'a.gz');
    writeFileSync(path, gzipSync('one\n'));
    const content = await atEnd(path, () => {
      throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' });
    });
    await expect(content.read(0, 100)).rejects.toMatchObject({ code: 'EIO' });
    expect((await content.read(0, 100)).toString()).toBe('one\n');
    expect(content.ended).toBe('whole');
    await content.close();
  });
});

describe('rejected lines', () => {
  it('are kept as they are, in a bounded space', async () => {
    const file = new RejectsFile(join(folder, 'r'), 150);
    const reject = { file: '/a', line: 7, column: 3, reason: 'why' };
    await file.append([{ ...reject, bytes: Buffer.from('é') }], 0);
    await file.append([{ ...reject, bytes: Buffer.from([0xff]) }], 0);
    await file.append([{ ...reject, bytes: null }], 0);
    const lines = (name: string): unknown[] =>
      readFileSync(join(folder, name), 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
    const at = '1970-01-01T00:00:00.000Z';
    expect(lines('r.1')).toEqual([
      { at, ...reject, text: 'é' },
      { at, ...reject, base64: '/w==' },
    ]);
    expect(lines('r')).toEqual([{ at, ...reject }]);
  });

  it('have a bounded number of kinds', () => {
    const kinds = new ReasonKinds();
    expect(kinds.of('the time is unreadable: "x1"')).toBe('the time is unreadable');
    expect(kinds.of('3 columns instead of 15')).toBe('N columns instead of N');
    const words = Array.from({ length: 500 }, (_, i) => i.toString(36).replaceAll(/\d/g, '_'));
    const all = words.map((word) => kinds.of(word));
    expect(new Set(all).size).toBeLessThan(50);
    expect(all.at(-1)).toBe('other');
  });
});

describe('UnreadSince', () => {
  it('tells when the oldest unread byte was there', () => {
    const unread = new UnreadSince();
    unread.observe(10, 0, 100);
    unread.observe(30, 0, 200);
    expect([0, 9, 10, 29, 30].map((offset) => unread.since(offset))).toEqual([
      100,
      100,
      200,
      200,
      undefined,
    ]);
    unread.observe(30, 10, 300);
    expect(unread.since(10)).toBe(200);
    for (let i = 1; i < 1_000; i++) unread.observe(30 + i, 10, 300 + i);
    expect(unread.since(1_028)).toBeLessThanOrEqual(1_298);
  });
});
