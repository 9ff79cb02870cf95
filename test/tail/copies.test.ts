import {
  appendFileSync,
  copyFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openRecordReader } from '../../ingest/formats/record-reader.js';
import type { SourceRecord } from '../../ingest/formats/source-item.js';
import { until } from '../support/until.js';
import { CSV, harnesses, lines } from './support/harness.js';
import type { Harness } from './support/harness.js';

const begin = harnesses();

/** A gz file with a byte that was changed. */
function damagedAt(at: number): Buffer {
  const bytes = gzipSync(lines('a', 1_000));
  bytes[at]! ^= 0xff;
  return bytes;
}

describe('gz of a rotated file', () => {
  it('is read on from the saved position, once', async () => {
    const h = begin();
    writeFileSync(h.path('a.log'), lines('a', 500));
    h.start();
    await h.untilSent(500);
    await h.stop();
    appendFileSync(h.path('a.log'), `${lines('b', 500)}{"n":"end"}`);
    renameSync(h.path('a.log'), h.path('a.log.1'));
    h.gzip('a.log.1');
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

  it.each([50, 4_096, 2_000_000])(
    'that has %i zeros is read to them, and set aside if there is more behind them',
    async (count) => {
      const h = begin();
      const zeros = Buffer.alloc(count);
      const first = gzipSync(lines('a', 10));
      writeFileSync(h.path('good.gz'), Buffer.concat([first, zeros]));
      h.start();
      await h.untilSent(10);
      await h.untilQuiet();
      expect(h.tail!.files.problem()).toBeUndefined();
      writeFileSync(h.path('x.gz'), Buffer.concat([first, zeros, gzipSync(lines('b', 10))]));
      await until('it is said', () => h.tail!.files.problem()?.includes('zeros between'));
      expect(h.tail!.files.problem()).toContain('x.gz');
    },
  );
});

describe('a damaged gz that begins like a file that', () => {
  /** Damaged behind what a look at its first bytes shows. */
  const damaged = (): Buffer => {
    const gz = gzipSync(lines('a', 30_000));
    gz.fill(0xff, gz.length >> 1, (gz.length >> 1) + 100);
    return gz;
  };
  const mendedIn = async (h: Harness): Promise<void> => {
    await until('it is said', () => h.tail!.files.problem()?.includes('a.log.1.gz'));
    expect(h.tail!.files.counts().setAside).toBe(1);
    expect(h.logged.filter((line) => line.includes('"level":50'))).toHaveLength(1);
    writeFileSync(h.path('a.log.1.gz'), gzipSync(`${lines('a', 30_000)}${lines('b', 1)}`));
    await until('the last line is there', () => h.texts().includes('{"n":"b0"}'));
    await until('nothing is wrong', () => h.tail!.files.problem() === undefined);
    expect(new Set(h.texts()).size).toBe(h.texts().length);
  };

  it('is known is set aside until it is mended', async () => {
    const h = begin({ patterns: ['a.log'] });
    writeFileSync(h.path('a.log'), lines('a', 30_000));
    h.start();
    await h.untilSent(30_000);
    writeFileSync(h.path('a.log.1.gz'), damaged());
    rmSync(h.path('a.log'));
    await mendedIn(h);
    expect(h.texts()).toHaveLength(30_001);
  });

  it('was left alone is set aside until it is mended', async () => {
    const h = begin({ patterns: ['a.log'] });
    writeFileSync(h.path('a.log.1'), lines('a', 30_000));
    utimesSync(h.path('a.log.1'), 1_700_000_000, 1_700_000_000);
    h.start();
    await until('it has looked', () => h.saves > 0);
    writeFileSync(h.path('a.log.1.gz'), damaged());
    rmSync(h.path('a.log.1'));
    await mendedIn(h);
    expect(h.texts()).toHaveLength(1);
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
