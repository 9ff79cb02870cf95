import { appendFileSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { parsePattern } from '../../ingest/tail/names.js';
import { OwnFiles } from '../../ingest/tail/own-files.js';
import type { Config } from '../../runtime/config.js';
import { runTail } from '../../runtime/tail-service.js';
import type { TailSettings } from '../../runtime/tail-service.js';
import { until } from '../support/until.js';
import { harnesses, lines } from './support/harness.js';

const begin = harnesses();

describe('files of the tail itself', () => {
  it('hide no log whose name begins with theirs', async () => {
    const h = begin({ stateFile: 'logs/clicks', rejectsFile: 'logs/click' });
    const names = ['clicks.ndjson', 'clicks.lock.1', 'clicks.next2', 'click.10', 'clickss'];
    for (const name of names) writeFileSync(h.path(name), lines(name, 1));
    h.start();
    await h.untilSent(names.length);
    expect(h.tail!.files.lag()).toHaveLength(names.length);
  });

  it.each([
    ['the folder of the logs', 'logs/state.json'],
    ['that folder by another name', 'link/state.json'],
  ])('are not followed in %s', async (_, stateFile) => {
    const h = begin({ stateFile, rejectsFile: 'link/rejects' });
    for (const name of ['rejects', 'rejects.1', 'state.json.lock', 'state.json.next'])
      writeFileSync(h.path(name), lines(name, 1));
    symlinkSync('state.json', h.path('symbolic'));
    symlinkSync(join(h.folder, 'link', 'rejects'), h.path('symbolic-too'));
    writeFileSync(h.path('a.log'), lines('a', 1));
    h.start();
    await h.untilSent(1);
    appendFileSync(h.path('a.log'), lines('b', 1));
    await h.untilSent(2);
    const { saves } = h;
    appendFileSync(h.path('a.log'), lines('c', 1));
    await until('it has looked since', () => h.saves > saves + 1 || h.sent.length === 3);
    await h.untilQuiet();
    expect(h.texts()).toEqual(['{"n":"a0"}', '{"n":"b0"}', '{"n":"c0"}']);
    expect(h.tail!.files.lag().map(({ path }) => path)).toEqual([h.path('a.log')]);
  });

  it.each(['state', 'state.next', 'state.lock', 'rejects', 'rejects.1', 'symbolic'])(
    'are refused as logs, and untouched: %s',
    async (name) => {
      const h = begin();
      writeFileSync(h.path('rejects'), lines('r', 1));
      symlinkSync('rejects', h.path('symbolic'));
      if (!existsSync(h.path(name))) writeFileSync(h.path(name), lines('x', 1));
      const content = readFileSync(h.path(name));
      const own = { stateFile: h.path('state'), rejectsFile: join(h.folder, 'link', 'rejects') };
      const patterns = [
        parsePattern(h.path('a.log'), '/', existsSync),
        parsePattern(h.path(name), '/', existsSync),
      ];
      const settings = { patterns, ...own } as unknown as TailSettings;
      await expect(runTail(settings, {} as Config, pino({ level: 'silent' }))).rejects.toThrow(
        expect.objectContaining({
          code: 'invalid_argument',
          message: expect.stringContaining(h.path(name)) as string,
          hint: expect.stringContaining('--rejects') as string,
        }),
      );
      expect(readFileSync(h.path(name))).toEqual(content);
    },
  );

  it('are known by their names before there is a folder for them', async () => {
    const path = '/none/of/these/state.json';
    const own = new OwnFiles(path, `${path}.rejects.ndjson`);
    expect(await own.has(`${path}.lock`)).toBe(true);
    expect(await own.has(join(dirname(path), 'state.log'))).toBe(false);
  });
});
