import {
  appendFileSync,
  readFileSync,
  renameSync,
  rmSync,
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

interface Stamped {
  readonly timestamp: number;
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
        if (when === 'and it is compressed then') h.gzip('a.csv.1');
        if (when !== 'while it runs') h.start();
        await until('the last line was sent', () => h.texts().at(-1)?.includes('1700000000001'));
        await h.untilQuiet();
        expect(h.rejects).toEqual([]);
        const reader = openRecordReader({ format: 'csv', mapping: CSV, source: 'test' });
        const ingested = `${first}${second}`
          .trimEnd()
          .split('\n')
          .map((line) => (reader.read(Buffer.from(line)) as SourceRecord | null)?.bytes.toString());
        // Besides the lines of an ingest the piece that was taken for one, each time, and nothing more.
        const [x, y, z] = ingested.slice(1);
        const pieces = h.texts().slice(1, -2);
        expect(h.texts()).toEqual([x, ...pieces, y, z]);
        const times = pieces.map((text) => (JSON.parse(text) as Stamped).timestamp);
        expect(times).toEqual(
          when === 'while it runs' ? [17_000_000, 17_000_000_000] : [17_000_000],
        );
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
      h.gzip('a.log.2');
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
      h.gzip('a.log.1');
      h.start();
      await h.untilSent(2);
      await h.untilQuiet();
      expect(h.texts()).toHaveLength(2);
    });

    it('and compressed slowly: nothing of it is read', async () => {
      const h = await begun(lines('old', 3_000), { patterns: ['a.log'], graceMs: 60_000 });
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
    ['compressed', (h: Harness) => void h.gzip('a.log')],
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
