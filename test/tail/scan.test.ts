import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parsePattern } from '../../ingest/tail/names.js';
import { OwnFiles } from '../../ingest/tail/own-files.js';
import { Scanner } from '../../ingest/tail/scan.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'truecount-tail-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Sizes by name, as a scan at `nowMs` finds them. */
type Look = (nowMs: number) => Promise<Map<string, number>>;

function scannerOf(count: number): Look {
  for (let i = 0; i < count; i++) writeFileSync(join(folder, `${String(i)}.log`), 'x\n');
  const patterns = [parsePattern(folder, '/', existsSync)];
  const scanner = new Scanner({ patterns, own: new OwnFiles('/none', '/none'), graceMs: 0 });
  return async (nowMs) => {
    const { files } = await scanner.scan(nowMs, [], () => undefined);
    return new Map(files.map(({ path, size }) => [path.slice(folder.length + 1), size]));
  };
}

it('looks at each of a few files each time', async () => {
  const look = scannerOf(3);
  for (const nowMs of [0, 300_000, 303_000]) await look(nowMs);
  appendFileSync(join(folder, '1.log'), 'y\n');
  expect((await look(303_001)).get('1.log')).toBe(4);
});

it('looks at quiet files of many every ten seconds, and at once where a name has changed', async () => {
  const look = scannerOf(300);
  for (const nowMs of [0, 300_000, 300_500]) await look(nowMs);
  appendFileSync(join(folder, '1.log'), 'y\n');
  expect((await look(301_000)).get('1.log')).toBe(2);
  expect((await look(310_500)).get('1.log')).toBe(4);
  // It was written to just now: it is looked at each time, the others are not.
  appendFileSync(join(folder, '1.log'), 'y\n');
  appendFileSync(join(folder, '2.log'), 'y\n');
  const next = await look(311_000);
  expect([next.get('1.log'), next.get('2.log')]).toEqual([6, 2]);
  renameSync(join(folder, '2.log'), join(folder, '2.log.1'));
  writeFileSync(join(folder, '2.log'), 'a new one\n');
  const rotated = await look(311_500);
  expect([rotated.size, rotated.get('2.log'), rotated.get('2.log.1')]).toEqual([301, 10, 4]);
});
