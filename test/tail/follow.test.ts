import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  createReadStream,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readItems } from '../../ingest/formats/read-items.js';
import { openRecordReader } from '../../ingest/formats/record-reader.js';
import { parsePattern } from '../../ingest/tail/names.js';
import { whyUnmatched } from '../../ingest/tail/unmatched.js';
import { until } from '../support/until.js';
import { CSV, harnesses, lines } from './support/harness.js';

const begin = harnesses();

/** Resolves when so many ms have passed, as the clock says. */
async function passes(ms: number): Promise<void> {
  const fromMs = performance.now();
  await until('time has passed', () => performance.now() - fromMs >= ms);
}

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

  it('takes a plain line for one although it begins like the name of a compression', async () => {
    const h = begin();
    const text = ['BZh9 is no bzip2', 'BZh', 'PK is no zip', '\u001f\u008b'].join('\n');
    writeFileSync(h.path('a.log'), `${text}\n`, 'latin1');
    writeFileSync(h.path('b.log'), Buffer.from('BZh91AY&SY\n'));
    h.start();
    await until('the other is recognised', () => h.logged.some((line) => line.includes('bzip2,')));
    await until('all lines were read', () => h.sent.length + h.rejects.length === 4);
    await h.untilQuiet();
  });

  it('sends nothing of a file that the mapping is not for, and reads the others', async () => {
    const h = begin({ mapping: CSV });
    writeFileSync(h.path('access.log'), '127.0.0.1 - - "GET /"\n');
    writeFileSync(h.path('a.csv'), 'ad,at\nx,1700000000000\n');
    h.start();
    await h.untilSent(1);
    await until('it is said', () => h.tail!.files.problem()?.includes('would be NDJSON'));
    expect(h.texts()).toHaveLength(1);
    expect(await h.metric('truecount_tail_set_aside_files')).toBe(1);
  });

  it('says of a file whose name is not UTF-8 that it is not read, until it is renamed', async () => {
    const h = begin();
    const name = Buffer.from(`${h.path('a')}\u00e9.log`, 'latin1');
    writeFileSync(name, lines('a', 2));
    mkdirSync(Buffer.from(`${h.path('folder')}\u00e9`, 'latin1'));
    writeFileSync(h.path('é.log'), lines('b', 1));
    h.start();
    await h.untilSent(1);
    expect(h.tail!.files.problem()).toContain('a\\xe9.log: its name is not UTF-8');
    expect(await h.metric('truecount_tail_set_aside_files')).toBe(1);
    expect(h.logged.filter((line) => line.includes('"level":50'))).toHaveLength(1);
    renameSync(name, h.path('a.log'));
    await h.untilSent(3);
    expect(h.tail!.files.problem()).toBeUndefined();
  });

  it('takes a name with wildcards for that of a file that is there, with its rotated ones', async () => {
    const h = begin({ patterns: ['clicks[1].log'] });
    writeFileSync(h.path('clicks[1].log'), lines('a', 1));
    writeFileSync(h.path('clicks1.log'), lines('none', 1));
    h.start();
    await h.untilSent(1);
    await h.stop();
    renameSync(h.path('clicks[1].log'), h.path('clicks[1].log.1'));
    appendFileSync(h.path('clicks[1].log.1'), lines('b', 1));
    writeFileSync(h.path('clicks[1].log'), lines('c', 1));
    h.start();
    expect((await h.untilSent(3)).sort()).toEqual(['a', 'b', 'c'].map((n) => `{"n":"${n}0"}`));
  });

  it('takes it for a glob where there is no such file, and the file too if it comes', async () => {
    const h = begin({ patterns: ['clicks[1].log', 'folder[1]'] });
    writeFileSync(h.path('clicks1.log'), lines('a', 1));
    mkdirSync(h.path('folder[1]'));
    writeFileSync(h.path('folder[1]/x.log'), lines('x', 1));
    h.start();
    await h.untilSent(2);
    writeFileSync(h.path('clicks[1].log'), lines('b', 1));
    await h.untilSent(3);
  });

  it('says of which arguments there is nothing yet', () => {
    const h = begin();
    mkdirSync(h.path('empty'));
    mkdirSync(h.path('folders/in'), { recursive: true });
    writeFileSync(h.path('a.log'), '');
    writeFileSync(h.path('b.log.1'), '');
    const whys = [
      'a.log',
      'b.log',
      'c.log',
      '*.log',
      '*.csv',
      'empty',
      'folders/',
      'none/',
      'no/x',
      '',
    ];
    const of = (name: string): string | undefined =>
      whyUnmatched(parsePattern(h.path(name), '/', existsSync));
    expect(whys.filter((name) => of(name)?.includes('no such file'))).toEqual([
      'c.log',
      '*.csv',
      'empty',
      'folders/',
    ]);
    expect(whys.filter((name) => of(name)?.includes('no folder'))).toEqual(['none/', 'no/x']);
  });

  it('says of a pipe that it cannot follow it', async () => {
    const h = begin({ patterns: ['pipe'] });
    execFileSync('mkfifo', [h.path('pipe')]);
    h.start();
    await until('it is said', () => h.logged.some((line) => line.includes('a pipe')));
  });

  it.each(['later', 'later/'])(
    'follows the files of a folder %s that comes later',
    async (name) => {
      const h = begin({ patterns: ['a.log', name] });
      writeFileSync(h.path('a.log'), lines('a', 1));
      h.start();
      await h.untilSent(1);
      mkdirSync(h.path('later'));
      writeFileSync(h.path('later/b.log'), lines('b', 2));
      await h.untilSent(3);
      await h.stop();
      appendFileSync(h.path('later/b.log'), lines('c', 1));
      h.start();
      await h.untilSent(4);
      expect(h.texts()).toHaveLength(4);
    },
  );

  it('reads two files side by side whose names differ in a number only', async () => {
    const h = begin({ graceMs: 50 });
    const [a, b] = ['clicks-8080.ndjson', 'clicks-8081.ndjson'];
    writeFileSync(h.path(a), `${lines('a', 1)}{"n":"ha`);
    writeFileSync(h.path(b), lines('b', 1));
    // Looks like dates, and is written to side by side.
    writeFileSync(h.path('x-202511.ndjson'), '');
    writeFileSync(h.path('x-202512.ndjson'), '');
    h.start();
    await h.untilSent(2);
    await passes(100);
    appendFileSync(h.path('x-202511.ndjson'), `${lines('c', 1)}{"n":"quar`);
    await h.untilSent(3);
    await passes(200);
    appendFileSync(h.path(a), 'lf"}\n');
    appendFileSync(h.path('x-202511.ndjson'), 'ter"}\n');
    expect((await h.untilSent(5)).slice(3).sort()).toEqual(['{"n":"half"}', '{"n":"quarter"}']);
    expect(h.texts()).toHaveLength(5);
    expect(h.rejects).toEqual([]);
  });

  it('reads on to their end those that are moved out of sight, as many as it holds open', async () => {
    const h = begin({ openMax: 3 });
    const names = ['a.log', 'b.log', 'c.log', 'd.log'];
    for (const [i, name] of names.entries()) {
      writeFileSync(h.path(name), lines(name, 1));
      utimesSync(h.path(name), 1_700_000_000 + i, 1_700_000_000 + i);
    }
    h.start();
    await h.untilSent(4);
    await h.stop();
    // Nothing has been written since it started again.
    h.start();
    await until('files are held open', () => h.tail!.files.counts().openFiles === 3);
    for (const name of names) {
      appendFileSync(h.path(name), lines(`late-${name}`, 1));
      renameSync(h.path(name), join(h.folder, name));
    }
    await h.untilSent(7);
    await until('all are gone', () => h.tail!.files.counts().openFiles === 0);
    expect(h.texts().filter((text) => text.includes('late-'))).toHaveLength(3);
    expect(h.texts().join()).not.toContain('late-a.log');
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
    await h.untilQuiet();
    expect(h.sent).toHaveLength(20_001);
    expect(await h.metric('truecount_tail_lag_bytes')).toBe(0);
    expect(await h.metric('truecount_tail_sent_total')).toBe(20_001);
  });
});
