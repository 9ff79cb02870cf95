import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { StateLock } from '../../ingest/tail/lock.js';
import { asNobody, deny } from '../support/as-nobody.js';
import { until } from '../support/until.js';
import { harnesses, lines } from './support/harness.js';
import type { Harness } from './support/harness.js';

asNobody();
const begin = harnesses();
const OLD_S = 1_700_000_000;

function writeOld(h: Harness, name: string, content: string | Buffer): void {
  writeFileSync(h.path(name), content);
  utimesSync(h.path(name), OLD_S, OLD_S);
}

async function untilLooked(h: Harness): Promise<void> {
  const before = h.saves;
  await until('it has looked', () => h.saves > before);
}

function numbers(h: Harness): string[] {
  return h.texts().map((text) => (JSON.parse(text) as { n: string }).n);
}

describe('a first start that may not read the logs', () => {
  it('leaves alone what was rotated away before it, and reads the rest once it may', async () => {
    const h = begin({ patterns: ['a.log'] });
    for (const i of [1, 2, 3]) writeOld(h, `a.log.${String(i)}`, lines(`old${String(i)}-`, 100));
    writeOld(h, 'a.log.4.gz', gzipSync(lines('old4-', 5)));
    writeOld(h, 'a.log', lines('a', 2));
    const names = ['a.log', 'a.log.1', 'a.log.2', 'a.log.3', 'a.log.4.gz'];
    const permits = names.map((name) => deny(h.path(name)));
    h.start();
    await untilLooked(h);
    expect(h.tail!.files.problem()).toBe(`${h.path('a.log')}: permission denied`);
    expect(h.tail!.files.counts().setAside).toBe(1);
    await h.stop();
    for (const permit of permits) permit();
    appendFileSync(h.path('a.log.1'), lines('late', 1));
    // Compressed as gzip does it, and rotated with nothing in between: it was not away at the start.
    writeOld(h, 'a.log.2.gz', gzipSync(readFileSync(h.path('a.log.2'))));
    unlinkSync(h.path('a.log.2'));
    renameSync(h.path('a.log'), h.path('a.log.0'));
    writeFileSync(h.path('a.log'), lines('b', 1));
    h.start();
    await h.untilSent(4);
    await h.untilQuiet();
    expect(numbers(h).sort()).toEqual(['a0', 'a1', 'b0', 'late0']);
    expect(h.tail!.files.problem()).toBeUndefined();
  });

  it.each(['may not be listed', 'may only be listed', 'is not there'])(
    'since their folder %s: a look at it that works is the first',
    async (why) => {
      const h = begin({ patterns: ['in/a.log'] });
      const folder = h.path('in');
      mkdirSync(folder);
      writeOld(h, 'in/a.log.1', lines('old', 5));
      let permit: () => void;
      if (why === 'is not there') {
        renameSync(folder, h.path('elsewhere'));
        permit = () => {
          renameSync(h.path('elsewhere'), folder);
        };
      } else permit = deny(folder, why === 'may only be listed' ? 0o400 : 0);
      const firstMs = Date.now();
      h.start();
      await untilLooked(h);
      // Between its starts a file is written, and rotated away.
      await h.stop();
      await until('time has passed', () => Date.now() > firstMs + 1);
      permit();
      writeFileSync(h.path('in/a.log.0'), lines('between', 1));
      permit = deny(folder);
      h.start();
      await untilLooked(h);
      permit();
      writeFileSync(h.path('in/a.log'), lines('a', 1));
      await h.untilSent(2);
      await h.untilQuiet();
      expect(numbers(h).sort()).toEqual(['a0', 'between0']);
      // From here on whatever turns up is read.
      writeOld(h, 'in/a.log.7', lines('later', 1));
      await h.untilSent(3);
      await h.stop();
      expect(JSON.parse(readFileSync(h.stateFile, 'utf8'))).toHaveProperty('awaited', []);
    },
  );
});

it('that takes the lock of the state away only for a while does not end the tail', async () => {
  const h = begin();
  const lock = StateLock.take(h.path('lock'), { startedOf: () => 'now' }, Date.now());
  const permit = deny(h.path('lock'));
  await expect(lock.hold()).rejects.toMatchObject({ code: 'EACCES' });
  permit();
  await lock.hold();
});

it('says of a file with unread lines that it may not be read any more, until it may', async () => {
  const h = begin({ openMax: 5 });
  // Three that fill a round, and more than are held open.
  const names = Array.from({ length: 12 }, (_, i) => `${String(i).padStart(2, '0')}.log`);
  for (const name of names) writeFileSync(h.path(name), lines(name, 1));
  for (const name of names.slice(0, 3)) {
    writeFileSync(h.path(name), lines(name.repeat(200), 2_000));
  }
  let open = (): void => undefined;
  h.gate = new Promise((resolve) => (open = resolve));
  h.start();
  await until('a round is on its way', () => h.offered > 0);
  expect(h.tail!.files.problem()).toBeUndefined();
  const permits = names.map((name) => deny(h.path(name)));
  await until('it is said', () => h.tail!.files.counts().setAside > 0);
  expect(h.tail!.files.problem()).toContain('permission denied');
  open();
  h.gate = undefined;
  for (const permit of permits) permit();
  await h.untilSent(3 * 2_000 + 9);
  await until('nothing is wrong', () => h.tail!.files.problem() === undefined);
  expect(h.tail!.files.counts().setAside).toBe(0);
});
