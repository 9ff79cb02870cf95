import {
  appendFileSync,
  copyFileSync,
  createReadStream,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { readItems } from '../../ingest/formats/read-items.js';
import { openRecordReader } from '../../ingest/formats/record-reader.js';
import { parseMapping } from '../../ingest/mapping/mapping.js';
import { until } from '../support/until.js';
import { Harness } from './support/harness.js';
import type { HarnessOptions } from './support/harness.js';

let harness: Harness | undefined;

afterEach(async () => {
  await harness?.close();
  harness = undefined;
});

function begin(options: HarnessOptions = {}): Harness {
  harness = new Harness(options);
  return harness;
}

function lines(prefix: string, count: number, from = 0): string {
  return Array.from({ length: count }, (_, i) => `{"n":"${prefix}${String(from + i)}"}\n`).join('');
}

/** What a gz file in the place of a log is, as gzip(1) does it: written beside it, then renamed away. */
function gzip(h: Harness, name: string): void {
  writeFileSync(h.path(`${name}.gz`), gzipSync(readFileSync(h.path(name))));
  unlinkSync(h.path(name));
}

/** Waits until all that was read is saved, and no byte waits. */
async function quiet(h: Harness): Promise<void> {
  await until('nothing waits', () => h.tail!.files.lag().every(({ bytes }) => bytes === 0), {
    deadlineMs: 5_000,
  });
}

const CSV = parseMapping(
  'event_id: {position: true}\nad_id: {column: ad}\ntimestamp: {column: at, format: epoch_ms}',
  'test',
);

describe('a file that grows', () => {
  it('gives its lines once, in order, also when they are cut anywhere', async () => {
    const h = begin();
    h.start();
    const text = Buffer.from(lines('ä€😀', 200));
    for (let at = 0; at < text.length; at += 37) {
      appendFileSync(h.path('a.log'), text.subarray(at, at + 37));
      if (at % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await h.untilSent(200);
    expect(h.texts().join('\n')).toBe(text.toString().trimEnd());
  });

  it('keeps a last line without an end waiting, over a restart as well', async () => {
    const h = begin({ graceMs: 50 });
    appendFileSync(h.path('a.log'), `${lines('a', 3)}{"n":"ha`);
    h.start();
    await h.untilSent(3);
    await h.stop();
    h.start();

    appendFileSync(h.path('a.log'), 'lf"}\n');
    expect((await h.untilSent(4)).at(-1)).toBe('{"n":"half"}');
    expect(h.texts()).toHaveLength(4);
  });

  it('rejects a line over the limit, keeps no byte of it, and goes on behind it', async () => {
    const h = begin();
    writeFileSync(h.path('a.log'), `${lines('a', 1)}${'x'.repeat(3_000_000)}\n${lines('b', 1)}`);
    h.start();
    expect(await h.untilSent(2)).toEqual(['{"n":"a0"}', '{"n":"b0"}']);
    expect(h.rejects).toMatchObject([{ line: 2, bytes: null }]);
  });

  it('is read from where it was saved, after a restart', async () => {
    const h = begin({ format: 'csv', mapping: CSV });
    writeFileSync(h.path('a.csv'), 'ad,at\nx,1700000000000\n');
    h.start();
    await h.untilSent(1);
    await h.stop();
    appendFileSync(h.path('a.csv'), 'x,1700000000000\ny,never\nx,1700000000000\n');
    h.start();
    await h.untilSent(3);
    expect(h.texts()).toHaveLength(3);
    expect(h.rejects).toMatchObject([
      { line: 4, reason: expect.stringContaining('never') as string },
    ]);
  });
});

describe('ids of lines without ids', () => {
  it('are those that an ingest of the file gives with the same source', async () => {
    const h = begin({ format: 'csv', mapping: CSV });
    const rows = Array.from({ length: 60 }, (_, i) => `ad${String(i % 3)},17000000000${i % 7}0\n`);
    writeFileSync(h.path('a.csv'), `ad,at\n${rows.slice(0, 20).join('')}`);
    h.start();
    await h.untilSent(20);
    await h.stop();
    appendFileSync(h.path('a.csv'), `nonsense\n${rows.slice(20, 40).join('')}`);
    renameSync(h.path('a.csv'), h.path('a.csv.1'));
    h.start();
    await h.untilSent(40);
    appendFileSync(h.path('a.csv.1'), rows.slice(40).join(''));
    await h.untilSent(60);
    const reader = openRecordReader({ format: 'csv', mapping: CSV, source: 'test' });
    const ingested: string[] = [];
    for await (const item of readItems(createReadStream(h.path('a.csv.1')), reader)) {
      if (item.kind === 'record') ingested.push(item.bytes.toString());
    }
    expect(h.texts()).toEqual(ingested);
  });
});

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
    await quiet(h);
    expect(h.texts()).toHaveLength(138);
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
    await quiet(h);
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
    await quiet(h);
    renameSync(h.path('a.log.1.gz'), h.path('a.log.2.gz'));
    await h.stop();
    h.start();
    await until('it was looked at again', () => h.tail!.files.lag().length === 1);
    await quiet(h);
    expect(h.texts()).toHaveLength(1001);
  });

  it('that nobody has seen before is read whole', async () => {
    const h = begin();
    writeFileSync(h.path('x.gz'), gzipSync(lines('a', 40_000)));
    h.start();
    await h.untilSent(40_000);
    await quiet(h);
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
    await quiet(h);
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

describe('names and inodes', () => {
  it('reads a file with several names once', async () => {
    const h = begin();
    writeFileSync(h.path('a.log'), lines('a', 5));
    linkSync(h.path('a.log'), h.path('b.log'));
    symlinkSync(h.path('a.log'), h.path('current.log'));
    symlinkSync(h.path('nowhere'), h.path('dangling.log'));
    h.start();
    await h.untilSent(5);
    rmSync(h.path('a.log'));
    appendFileSync(h.path('b.log'), lines('b', 5));
    await h.untilSent(10);
    expect(h.texts()).toHaveLength(10);
  });

  it('takes a new file with the inode of a known one for what it is', async () => {
    const h = begin();
    writeFileSync(h.path('a.log'), lines('a', 5));
    h.start();
    await h.untilSent(5);
    await h.stop();
    // The same inode with other bytes of the same length: as after deletion and re-use.
    writeFileSync(h.path('a.log'), lines('b', 5));
    h.start();
    await h.untilSent(10);
    expect(h.texts()).toHaveLength(10);
  });

  it('reads two files whose first lines are equal, each to its end', async () => {
    const h = begin({ format: 'csv', mapping: CSV });
    writeFileSync(h.path('a.csv'), 'ad,at\n');
    h.start();
    await until('the header was read', () => h.saves > 0 && h.tail!.files.lag()[0]?.bytes === 0);
    writeFileSync(h.path('b.csv'), 'ad,at\nx,1700000000000\n');
    await h.untilSent(1);
    appendFileSync(h.path('a.csv'), 'y,1700000000000\n');
    await h.untilSent(2);
    expect(h.texts()).toHaveLength(2);
  });

  it('leaves a file alone that is compressed in another way, and says so of one it may not read', async () => {
    const h = begin();
    writeFileSync(h.path('a.log.zst'), Buffer.from('28b52ffd0000', 'hex'));
    mkdirSync(h.path('folder.log'));
    symlinkSync('loop.log', h.path('loop.log'));
    writeFileSync(h.path('a.log'), lines('a', 5));
    h.start();
    await h.untilSent(5);
    expect(h.tail!.files.problem()).toContain('loop.log');
    expect(await h.metric('truecount_tail_set_aside_files')).toBe(1);
    expect(h.texts()).toHaveLength(5);
  });

  it('forgets a file that vanished, after a while', async () => {
    const h = begin({ forgetMs: 100 });
    writeFileSync(h.path('a.log'), lines('a', 5));
    h.start();
    await h.untilSent(5);
    rmSync(h.path('a.log'));
    await until('it is forgotten', () => {
      return (JSON.parse(readFileSync(h.stateFile, 'utf8')) as { files: [] }).files.length === 0;
    });
    expect(existsSync(h.path('a.log'))).toBe(false);
  });
});

describe('back-pressure', () => {
  it('reads no more than one round while Kafka is away, and says what waits', async () => {
    const h = begin();
    let open = (): void => undefined;
    h.gate = new Promise((resolve) => (open = resolve));
    const padding = 'x'.repeat(400);
    writeFileSync(h.path('a.log'), lines(`a${padding}`, 10_000));
    writeFileSync(h.path('b.log'), lines(`b${padding}`, 10_000));
    h.start();
    await until('a round is on its way', () => h.offered > 0);
    const { offered } = h;
    renameSync(h.path('a.log'), h.path('a.log.1'));
    writeFileSync(h.path('a.log'), lines('c', 1));
    await until('the rotation was seen meanwhile', () => h.tail!.files.lag().length === 3);
    expect(h.offered).toBe(offered);
    expect(offered).toBeLessThan(4 * 1024 * 1024);
    expect(await h.metric('truecount_tail_lag_bytes')).toBeGreaterThan(8_000_000);
    expect(await h.metric('truecount_tail_oldest_unread_seconds')).toBeGreaterThan(0);
    h.gate = undefined;
    open();
    await until('all was sent', () => h.sent.length >= 20_001, { deadlineMs: 20_000 });
    await quiet(h);
    expect(h.sent).toHaveLength(20_001);
    expect(await h.metric('truecount_tail_lag_bytes')).toBe(0);
    expect(await h.metric('truecount_tail_sent_total')).toBe(20_001);
  });
});
