import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sha256Hex } from '../../core/rules/canonical-json.js';
import { openLake } from '../../lake/open.js';
import { fetchVerified } from '../../lake/verify.js';
import { sweepUploads } from '../../stream/archive/sweep.js';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lake-test-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const lake = () => openLake(join(dir, 'lake'));

function local(text: string): string {
  const path = join(dir, 'local');
  writeFileSync(path, text);
  return path;
}

async function keys(prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { key, bytes } of lake().list(prefix)) found.push(`${key} ${String(bytes)}`);
  return found.sort();
}

test('an object that was put is listed, fetched and removed, and the local file is gone', async () => {
  const path = local('abc');
  await lake().put('clicks/2026-11-21T10/b0of1/1-e1-x.parquet', path);
  expect(existsSync(path)).toBe(false);
  await lake().put('scratch/a', local('defg'));
  expect(await keys('')).toEqual(['clicks/2026-11-21T10/b0of1/1-e1-x.parquet 3', 'scratch/a 4']);
  expect(await keys('clicks/')).toEqual(['clicks/2026-11-21T10/b0of1/1-e1-x.parquet 3']);
  expect(await keys('clicks/2026-11-21T1')).toHaveLength(1);
  expect(await keys('clicks/2026-11-22')).toEqual([]);
  const fetched = await lake().fetch('scratch/a');
  expect(readFileSync(fetched.path, 'utf8')).toBe('defg');
  await fetched.release();
  await lake().remove('scratch/a');
  await lake().remove('scratch/a');
  await expect(lake().fetch('scratch/a')).rejects.toMatchObject({ code: 'lake_file_missing' });
});

test('a key is never used twice: the first object stays', async () => {
  await lake().put('clicks/a', local('first'));
  await expect(lake().put('clicks/a', local('second'))).rejects.toMatchObject({ code: 'conflict' });
  expect(readFileSync((await lake().fetch('clicks/a')).path, 'utf8')).toBe('first');
});

test('a lake that nobody has written to is empty', async () => {
  expect(await keys('clicks/')).toEqual([]);
});

test.each(['../a', 'a/../../b', '/etc/passwd', 'a//b', '', '.incoming/a', 'a\0'])(
  'the key %j is refused',
  async (key) => {
    await expect(lake().put(key, local('x'))).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(lake().fetch(key)).rejects.toMatchObject({ code: 'invalid_argument' });
  },
);

test('a file is handed over only if size and checksum are those of the manifest', async () => {
  await lake().put('clicks/a', local('abc'));
  const file = { key: 'clicks/a', bytes: 3, sha256: sha256Hex('abc') };
  const fetched = await fetchVerified(lake(), file);
  expect(readFileSync(fetched.path, 'utf8')).toBe('abc');
  await fetched.release();
  const damaged = { code: 'lake_file_damaged', message: /^clicks\/a: / };
  const error = (over: object) =>
    fetchVerified(lake(), { ...file, ...over }).catch((caught: unknown) => caught);
  expect(await error({ bytes: 4 })).toMatchObject({ code: damaged.code });
  expect(await error({ sha256: sha256Hex('abd') })).toMatchObject({
    code: damaged.code,
    message: expect.stringMatching(damaged.message) as unknown,
  });
});

async function unfinished(): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of lake().unfinished()) found.push(name);
  return found.sort();
}

test('an object from another file system arrives whole, and nothing of its way stays', async (ctx) => {
  const other = '/dev/shm';
  if (!existsSync(other) || statSync(other).dev === statSync(dir).dev) {
    ctx.skip('needs a second file system at /dev/shm');
  }
  const away = mkdtempSync(join(other, 'lake-test-'));
  try {
    writeFileSync(join(away, 'a'), 'from afar');
    await lake().put('clicks/a', join(away, 'a'));
    expect(readdirSync(away)).toEqual([]);
  } finally {
    rmSync(away, { recursive: true });
  }
  expect(readFileSync((await lake().fetch('clicks/a')).path, 'utf8')).toBe('from afar');
  expect(existsSync(join(dir, 'lake', '.incoming')), 'it was copied first').toBe(true);
  expect(await unfinished()).toEqual([]);
});

describe('what a killed put left', () => {
  function left(name: string, hoursAgo: number): string {
    const path = join(dir, 'lake', '.incoming', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, 'half');
    const at = new Date(Date.now() - hoursAgo * 3_600_000);
    utimesSync(path, at, at);
    return path;
  }

  test('is no object; it is listed apart, and can be discarded by that name alone', async () => {
    const path = left('7d0c', 2);
    expect(await keys('')).toEqual([]);
    expect(await unfinished()).toEqual(['.incoming/7d0c']);
    await lake().put('clicks/a', local('kept'));
    for (const name of ['clicks/a', '.incoming/../clicks/a', '.incoming/', '/etc/passwd']) {
      await expect(lake().discard(name)).rejects.toMatchObject({ code: 'invalid_argument' });
    }
    await lake().discard('.incoming/7d0c');
    await lake().discard('.incoming/7d0c');
    expect(existsSync(path)).toBe(false);
    expect(await keys('')).toEqual(['clicks/a 4']);
  });

  test('is swept after a day; an upload of today may still end', async () => {
    const [old, young] = [left('old', 25), left('young', 23)];
    expect(await sweepUploads(lake(), Date.now())).toEqual(['.incoming/old']);
    expect([existsSync(old), existsSync(young)]).toEqual([false, true]);
  });

  test('in a lake that nobody has written to there is nothing to sweep', async () => {
    expect(await sweepUploads(lake(), Date.now())).toEqual([]);
  });
});

test('addresses: a folder, file://, and nothing else', () => {
  expect(openLake(dir).url).toBe(dir);
  expect(openLake(`file://${dir}`).url).toBe(dir);
  for (const url of ['s3://bucket/lake', 'https://x/y', 'file://other-host/x']) {
    expect(() => openLake(url), url).toThrow(expect.objectContaining({ code: 'invalid_config' }));
  }
});
