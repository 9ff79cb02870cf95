import {
  appendFileSync,
  copyFileSync,
  readFileSync,
  renameSync,
  statSync,
  rmSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openRecordReader } from '../../ingest/formats/record-reader.js';
import type { SourceRecord } from '../../ingest/formats/source-item.js';
import type { TailState } from '../../ingest/tail/state-file.js';
import { until } from '../support/until.js';
import { CSV, harnesses, lines } from './support/harness.js';
import type { Harness, HarnessOptions } from './support/harness.js';

const begin = harnesses();

/** What a gz file in the place of a log is, as gzip(1) does it: written beside it, then renamed away. */
function gzip(h: Harness, name: string): void {
  writeFileSync(h.path(`${name}.gz`), gzipSync(readFileSync(h.path(name))));
  const { atime, mtime } = statSync(h.path(name));
  utimesSync(h.path(`${name}.gz`), atime, mtime);
  unlinkSync(h.path(name));
}

/** A gz file with a byte that was changed. */
function damagedAt(at: number): Buffer {
  const bytes = gzipSync(lines('a', 1_000));
  bytes[at]! ^= 0xff;
  return bytes;
}

describe('rotation', () => {
  it('by a chain of renames: nothing is lost or read twice', async () => {
    const h = begin();
    h.start();
    for (let round = 0; round < 6; round++) {
      appendFileSync(h.path('a.log'), lines(`r${String(round)}-`, 20));
      if (round % 2 === 0) await h.untilSent(20 * round + 1);
      for (let i = round; i > 0; i--) {
        renameSync(h.path(`a.log.${String(i)}`), h.path(`a.log.${String(i + 1)}`));
      }
      renameSync(h.path('a.log'), h.path('a.log.1'));
      // Who has it open still writes to it.
      appendFileSync(h.path('a.log.1'), lines(`late${String(round)}-`, 3));
    }
    await h.untilSent(138);
    await h.untilQuiet();
    expect(h.texts()).toHaveLength(138);
  });

  it('that a writer goes on with after a pause within a line is read on, once and to its end', async () => {
    const h = begin();
    const [file, count] = [h.path('a.log.1'), 30_000];
    writeFileSync(h.path('a.log'), lines('a', 1));
    h.start();
    await h.untilSent(1);
    const [first, rest] = [lines('b', 1).slice(0, 8), lines('b', 1).slice(8)];
    appendFileSync(h.path('a.log'), first);
    renameSync(h.path('a.log'), file);
    await until(
      'the piece is taken for the last line',
      () => h.texts().length + h.rejects.length === 2,
    );
    appendFileSync(file, rest + lines(`c${'x'.repeat(80)}`, count));
    await until('the last line is there', () =>
      h.texts().includes(lines(`c${'x'.repeat(80)}`, 1, count - 1).trimEnd()),
    );
    await h.untilQuiet();
    appendFileSync(file, lines('d', 1));
    await until('the line after it is there', () => h.texts().includes(lines('d', 1).trimEnd()));
    await h.untilQuiet();
    const sent = h.texts().filter((text) => text !== first);
    expect(sent).toHaveLength(1 + 1 + count + 1);
    expect(readFileSync(h.stateFile, 'utf8')).not.toContain('"unended"');
  });

  it('by a date in the name: the last line without an end is taken after the grace period', async () => {
    const h = begin({ graceMs: 50 });
    writeFileSync(h.path('access-2026-11-20.log'), `${lines('a', 2)}{"n":"end"}`);
    h.start();
    await h.untilSent(2);
    expect(h.texts()).not.toContain('{"n":"end"}');
    writeFileSync(h.path('access-2026-11-21.log'), lines('b', 1));
    expect(await h.untilSent(4)).toContain('{"n":"end"}');
    expect(h.texts()).toHaveLength(4);
  });

  describe('by rename, in the middle of a line whose writer stalls for longer than grace', () => {
    it.each(['while it runs', 'while it is down', 'and it is compressed then'])(
      'and goes on %s: the line is read again whole, and ids are those of an ingest',
      async (when) => {
        const h = begin({ format: 'csv', mapping: CSV, graceMs: 50 });
        const [first, second] = ['ad,at\nx,1700000000000\ny,17000000', '00000\nz,1700000000001\n'];
        writeFileSync(h.path('a.csv'), first);
        h.start();
        await h.untilSent(1);
        renameSync(h.path('a.csv'), h.path('a.csv.1'));
        // A time of 1970: it is a click by all that can be seen.
        await h.untilSent(2);
        if (when !== 'while it runs') await h.stop();
        appendFileSync(h.path('a.csv.1'), second.slice(0, 3));
        if (when === 'while it runs') await h.untilSent(3);
        appendFileSync(h.path('a.csv.1'), second.slice(3));
        if (when === 'and it is compressed then') gzip(h, 'a.csv.1');
        if (when !== 'while it runs') h.start();
        await until('the last line was sent', () => h.texts().at(-1)?.includes('1700000000001'));
        await h.untilQuiet();
        expect(h.rejects).toEqual([]);
        const reader = openRecordReader({ format: 'csv', mapping: CSV, source: 'test' });
        const ingested = `${first}${second}`
          .trimEnd()
          .split('\n')
          .map((line) => (reader.read(Buffer.from(line)) as SourceRecord | null)?.bytes.toString());
        expect(h.texts()).toEqual(expect.arrayContaining(ingested.slice(1)));
        expect(h.texts().slice(-2)).toEqual(ingested.slice(-2));
      },
    );

    it('and ends it with nothing more: the line is the same again', async () => {
      const h = begin({ format: 'csv', mapping: CSV, graceMs: 50 });
      writeFileSync(h.path('a.csv'), 'ad,at\nx,1700000000000\ny,1700000000000');
      h.start();
      await h.untilSent(1);
      renameSync(h.path('a.csv'), h.path('a.csv.1'));
      await h.untilSent(2);
      appendFileSync(h.path('a.csv.1'), '\n');
      await until('it was read again', () => h.sent.length === 3);
      expect(h.texts()[2]).toBe(h.texts()[1]);
    });
  });

  it('while the tail is down, twice: both files are read on or from their beginning', async () => {
    const h = begin({ patterns: ['a.log'] });
    writeFileSync(h.path('a.log'), lines('a', 5));
    h.start();
    await h.untilSent(5);
    await h.stop();
    appendFileSync(h.path('a.log'), lines('b', 5));
    renameSync(h.path('a.log'), h.path('a.log.2'));
    writeFileSync(h.path('a.log.1'), lines('c', 5));
    writeFileSync(h.path('a.log'), lines('d', 5));
    h.start();
    await h.untilSent(20);
    await h.untilQuiet();
    expect(h.texts()).toHaveLength(20);
  });

  it('of before the first start is left alone for a file that is asked for by its name', async () => {
    const h = begin({ patterns: ['a.log'] });
    writeFileSync(h.path('a.log.1'), lines('old', 5));
    utimesSync(h.path('a.log.1'), 1_700_000_000, 1_700_000_000);
    writeFileSync(h.path('a.log'), lines('a', 5));
    h.start();
    expect(await h.untilSent(5)).toEqual(lines('a', 5).trimEnd().split('\n'));
    renameSync(h.path('a.log'), h.path('a.log.2'));
    writeFileSync(h.path('a.log'), lines('b', 1));
    await h.untilSent(6);
    expect(h.texts()).toHaveLength(6);
  });

  it('says once which files it leaves alone, whatever they are called later', async () => {
    const h = begin({ patterns: ['a.log'] });
    writeFileSync(h.path('a.log.1'), lines('old', 5));
    utimesSync(h.path('a.log.1'), 1_700_000_000, 1_700_000_000);
    h.start();
    await until('it has looked', () => h.saves > 0);
    renameSync(h.path('a.log.1'), h.path('a.log.2'));
    writeFileSync(h.path('a.log'), lines('a', 1));
    await h.untilSent(1);
    writeFileSync(h.path('a.log.2.gz'), gzipSync(readFileSync(h.path('a.log.2'))));
    utimesSync(h.path('a.log.2.gz'), 1_700_000_000, 1_700_000_000);
    unlinkSync(h.path('a.log.2'));
    await h.stop();
    h.start();
    appendFileSync(h.path('a.log'), lines('b', 1));
    await h.untilSent(2);
    expect(h.texts()).toHaveLength(2);
    expect(h.logged.filter((line) => line.includes('rotated away before'))).toHaveLength(1);
  });

  describe('of before the first start, left alone, and written to later', () => {
    const OLD_S = 1_700_000_000;
    const begun = async (old: string, options: HarnessOptions): Promise<Harness> => {
      const h = begin(options);
      const [name] = options.patterns!;
      writeFileSync(h.path(`${name!}.1`), old);
      utimesSync(h.path(`${name!}.1`), OLD_S, OLD_S);
      h.start();
      await until('it has looked', () => h.saves > 0);
      return h;
    };

    it.each([1, 100])('of %s lines: what is appended is read, and only that', async (count) => {
      const h = await begun(`${lines('old', count)}{"n":"ha`, { patterns: ['a.log'] });
      appendFileSync(h.path('a.log.1'), `lf"}\n${lines('a', 2)}`);
      // Within the same second as a rule, and here.
      utimesSync(h.path('a.log.1'), OLD_S, OLD_S);
      await h.untilSent(3);
      await h.stop();
      renameSync(h.path('a.log.1'), h.path('a.log.2'));
      appendFileSync(h.path('a.log.2'), lines('b', 1));
      h.start();
      await h.untilSent(4);
      gzip(h, 'a.log.2');
      await until('the gz is known', () => h.logged.some((line) => line.includes('a copy of')));
      await h.untilQuiet();
      const expected = [
        '{"n":"half"}',
        ...`${lines('a', 2)}${lines('b', 1)}`.trimEnd().split('\n'),
      ];
      expect(h.texts()).toEqual(expected);
      expect(await h.metric('truecount_tail_lines_total')).toBe(1);
    });

    it('and compressed while the tail is down: what was appended is read, and only that', async () => {
      const h = await begun(lines('old', 1_000), { patterns: ['a.log'] });
      await h.stop();
      appendFileSync(h.path('a.log.1'), lines('a', 2));
      gzip(h, 'a.log.1');
      h.start();
      await h.untilSent(2);
      await h.untilQuiet();
      expect(h.texts()).toHaveLength(2);
    });

    it('and compressed slowly: nothing of it is read', async () => {
      const h = await begun(lines('old', 3_000), { patterns: ['a.log'] });
      const gz = gzipSync(readFileSync(h.path('a.log.1')));
      writeFileSync(h.path('a.log.1.gz'), gz.subarray(0, 3_000));
      await until('it was looked at', () => h.tail!.files.lag().length === 1);
      appendFileSync(h.path('a.log.1.gz'), gz.subarray(3_000));
      utimesSync(h.path('a.log.1.gz'), OLD_S, OLD_S);
      unlinkSync(h.path('a.log.1'));
      writeFileSync(h.path('a.log'), lines('a', 1));
      await h.untilSent(1);
      await h.untilQuiet();
      expect(h.texts()).toHaveLength(1);
    });

    it('in another way, with its inode: it is read from its beginning', async () => {
      const h = await begun(lines('old', 100), { patterns: ['a.log'] });
      const text = lines('new', 200);
      writeFileSync(h.path('a.log.1'), text);
      await h.untilSent(200);
      const head = lines('old', 100).slice(0, 1_024);
      const other = await begun(lines('old', 100), { patterns: ['a.log'] });
      writeFileSync(other.path('a.log.1'), `${head}"}\n${lines('new', 200)}`);
      await until('it was read', () => other.texts().includes('{"n":"new199"}'));
      expect(other.texts()).toContain('{"n":"old0"}');
    });

    it('keeps the names of columns, and the ids that an ingest of all of it gives', async () => {
      const mapped = { patterns: ['a.csv'], format: 'csv', mapping: CSV } as const;
      const old = `ad,at\nx,1700000000000\nnonsense\ny,1700000000000\n`;
      const h = await begun(old, mapped);
      appendFileSync(h.path('a.csv.1'), 'z,1700000000000\nno,thing\n');
      await h.untilSent(1);
      await h.untilQuiet();
      const reader = openRecordReader({ format: 'csv', mapping: CSV, source: 'test' });
      const items = `${old}z,1700000000000`
        .split('\n')
        .map((line) => reader.read(Buffer.from(line)));
      expect(h.sent).toMatchObject([{ bytes: (items.at(-1) as SourceRecord).bytes }]);
      expect(h.rejects).toMatchObject([{ line: 6 }]);
    });
  });

  it.each([
    ['renamed', (h: Harness) => void renameSync(h.path('a.log'), h.path('a.log.1'))],
    ['compressed', (h: Harness) => void gzip(h, 'a.log')],
  ])('of a file that was not read at all: it is read when it is %s', async (_, rotate) => {
    const h = begin({ patterns: ['a.log'] });
    writeFileSync(h.path('a.log'), lines('a', 5));
    utimesSync(h.path('a.log'), 1_700_000_000, 1_700_000_000);
    h.gate = new Promise(() => undefined);
    h.start();
    await until('a round is on its way', () => h.offered > 0);
    // What a tail finds that is killed now.
    const state = readFileSync(h.stateFile);
    await h.stop();
    writeFileSync(h.stateFile, state);
    rotate(h);
    writeFileSync(h.path('a.log'), lines('b', 1));
    h.gate = undefined;
    h.start();
    await h.untilSent(6);
    expect(h.texts()).toHaveLength(6);
  });

  it('during an outage is written down before the outage ends', async () => {
    const h = begin({ patterns: ['a.log'] });
    writeFileSync(h.path('a.log'), lines('a', 1));
    h.gate = new Promise(() => undefined);
    h.start();
    await until('a round is on its way', () => h.offered > 0);
    renameSync(h.path('a.log'), h.path('a.log.1'));
    writeFileSync(h.path('a.log'), lines('b', 1));
    const paths = (): string[] =>
      (JSON.parse(readFileSync(h.stateFile, 'utf8')) as TailState).files.map(({ path }) => path);
    await until('both are in the state', () => {
      return paths().sort().join() === [h.path('a.log'), h.path('a.log.1')].join();
    });
    h.gate = undefined;
  });

  it('reads a file to its end that was deleted while it was open', async () => {
    const h = begin();
    writeFileSync(h.path('a.log'), lines('a', 1));
    h.start();
    await h.untilSent(1);
    let open = (): void => undefined;
    h.gate = new Promise((resolve) => (open = resolve));
    appendFileSync(h.path('a.log'), lines('b', 1));
    await until('a round is on its way', () => h.offered >= 20);
    appendFileSync(h.path('a.log'), `${lines('c', 50)}{"n":"end"}`);
    rmSync(h.path('a.log'));
    h.gate = undefined;
    open();
    expect(await h.untilSent(53)).toContain('{"n":"end"}');
    await until('the file is closed', () => h.tail!.files.counts().openFiles === 0);
  });
});

describe('gz of a rotated file', () => {
  it('is read on from the saved position, once', async () => {
    const h = begin();
    writeFileSync(h.path('a.log'), lines('a', 500));
    h.start();
    await h.untilSent(500);
    await h.stop();
    appendFileSync(h.path('a.log'), `${lines('b', 500)}{"n":"end"}`);
    renameSync(h.path('a.log'), h.path('a.log.1'));
    gzip(h, 'a.log.1');
    h.start();
    await h.untilSent(1001);
    await h.untilQuiet();
    renameSync(h.path('a.log.1.gz'), h.path('a.log.2.gz'));
    await h.stop();
    h.start();
    await until('it was looked at again', () => h.tail!.files.lag().length === 1);
    await h.untilQuiet();
    expect(h.texts()).toHaveLength(1001);
  });

  it('that nobody has seen before is read whole', async () => {
    const h = begin();
    writeFileSync(h.path('x.gz'), gzipSync(lines('a', 40_000)));
    h.start();
    await h.untilSent(40_000);
    await h.untilQuiet();
    expect(h.texts()).toHaveLength(40_000);
    expect(h.texts().join('\n')).toBe(lines('a', 40_000).trimEnd());
  });

  it('is waited for while it is being written', async () => {
    const h = begin({ graceMs: 50 });
    const whole = gzipSync(lines('a', 30_000));
    writeFileSync(h.path('x.gz'), whole.subarray(0, whole.length / 2));
    h.start();
    await until('some of it was read', () => h.sent.length > 0);
    appendFileSync(h.path('x.gz'), whole.subarray(whole.length / 2));
    await h.untilSent(30_000);
    await h.untilQuiet();
  });

  it.each([
    ['in its first bytes', () => damagedAt(12), 'damaged'],
    ['in its header', () => gzipSync(lines('a', 1)).subarray(0, 8), 'damaged'],
    ['since it is no gz file', () => Buffer.from(lines('a', 1)), 'is no gz file'],
  ])('that is damaged %s is said to be, until it is mended', async (_, bytes, words) => {
    const h = begin();
    writeFileSync(h.path('x.gz'), bytes());
    writeFileSync(h.path('empty.gz'), gzipSync(''));
    h.start();
    await until('it is said', () => h.tail!.files.problem()?.includes(words));
    expect(await h.metric('truecount_tail_set_aside_files')).toBe(1);
    const errors = h.logged.filter((line) => line.includes('"level":50'));
    expect(errors).toEqual([expect.stringContaining('x.gz')]);
    writeFileSync(h.path('x.gz'), gzipSync(lines('a', 7)));
    await h.untilSent(7);
    expect(await h.metric('truecount_tail_set_aside_files')).toBe(0);
  });

  it('that is damaged is set aside, and the other files are read', async () => {
    const h = begin();
    const whole = gzipSync(lines('a', 30_000));
    whole[whole.length - 5]! ^= 1;
    writeFileSync(h.path('x.gz'), whole);
    writeFileSync(h.path('y.log'), lines('y', 3));
    h.start();
    await until('the other was read', () => h.texts().includes('{"n":"y2"}'));
    await until('it is said', () => h.tail!.files.problem()?.includes('x.gz'));
  });
});

describe('copytruncate', () => {
  it('loses nothing that was written before the copy was made', async () => {
    const h = begin();
    let written = 0;
    h.start();
    for (let round = 0; round < 5; round++) {
      appendFileSync(h.path('a.log'), lines(`r${String(round)}-`, 100));
      written += 100;
      if (round % 2 === 1) await h.untilSent(written);
      for (let i = round; i > 0; i--) {
        renameSync(h.path(`a.log.${String(i)}`), h.path(`a.log.${String(i + 1)}`));
      }
      copyFileSync(h.path('a.log'), h.path('a.log.1'));
      truncateSync(h.path('a.log'));
    }
    await h.untilSent(written);
  });

  it('while the tail is down is seen by the first bytes, however large the file is by then', async () => {
    const h = begin();
    writeFileSync(h.path('a.log'), lines('a', 100));
    h.start();
    await h.untilSent(100);
    await h.stop();
    truncateSync(h.path('a.log'));
    appendFileSync(h.path('a.log'), lines('b', 500));
    h.start();
    await h.untilSent(600);
    expect(h.texts()).toHaveLength(600);
  });

  it('of a CSV: its columns go on to count, unless it begins with names of columns', async () => {
    const h = begin({ patterns: ['a.csv'], format: 'csv', mapping: CSV });
    const row = (ad: string): string => `${ad},1700000000000\n`;
    writeFileSync(h.path('a.csv'), `ad,at\n${row('a')}`);
    h.start();
    await h.untilSent(1);
    const rotate = async (round: number, content: string): Promise<void> => {
      copyFileSync(h.path('a.csv'), h.path(`a.csv.${String(round)}`));
      truncateSync(h.path('a.csv'));
      appendFileSync(h.path('a.csv'), content);
      await h.untilSent(h.sent.length + 1);
    };
    await rotate(1, row('b'));
    await h.stop();
    h.start();
    await rotate(2, `ad,at\n${row('c')}`);
    await rotate(3, `at,ad\n1700000000000,d\n`);
    await h.stop();
    // Twice, and empty when the tail looks.
    truncateSync(h.path('a.csv'));
    h.start();
    await until('it was looked at', () => h.logged.at(-1)?.includes('truncated'));
    await h.stop();
    h.start();
    appendFileSync(h.path('a.csv'), `1700000000000,e\nno,click\n`);
    await h.untilSent(5);
    const clicks = h.texts().map((text) => JSON.parse(text) as { event_id: string; ad_id: string });
    expect(clicks.map((click) => click.ad_id)).toEqual(['a', 'b', 'c', 'd', 'e']);
    await until('the last row is rejected', () => h.rejects.length === 1);
    // As of a file that begins with the names.
    const reader = openRecordReader({ format: 'csv', mapping: CSV, source: 'test' });
    const items = ['ad,at', row('b').trim()].map((line) => reader.read(Buffer.from(line)));
    expect((items[1] as SourceRecord).bytes.toString()).toBe(h.texts()[1]);
    expect(h.tail!.files.problem()).toBeUndefined();
  });

  it('of a CSV is loud where its first row is neither click nor names of columns', async () => {
    const h = begin({ format: 'csv', mapping: CSV });
    writeFileSync(h.path('a.csv'), 'ad,at\na,1700000000000\n');
    h.start();
    await h.untilSent(1);
    truncateSync(h.path('a.csv'));
    appendFileSync(h.path('a.csv'), 'a,never\na,1700000000001\n');
    await until('it is said', () => h.tail!.files.problem()?.includes('a.csv'));
    expect(h.texts()).toHaveLength(1);
  });

  it('is seen although both contents begin with the same long header', async () => {
    const columns = Array.from({ length: 300 }, (_, i) => `column${String(i)}`).join();
    const blanks = ','.repeat(299);
    const rows = (ad: string, count: number): string =>
      Array.from({ length: count }, (_, i) => `${ad}${String(i)},1700000000000,${blanks}\n`).join(
        '',
      );
    const h = begin({ format: 'csv', mapping: CSV });
    writeFileSync(h.path('a.csv'), `ad,at,${columns}\n${rows('a', 50)}`);
    h.start();
    await h.untilSent(50);
    await h.stop();
    writeFileSync(h.path('a.csv'), `ad,at,${columns}\n${rows('b', 90)}`);
    h.start();
    await h.untilSent(140);
    expect(h.texts()).toHaveLength(140);
  });
});
