import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256Hex } from '../../core/rules/canonical-json.js';
import { openLake } from '../../lake/open.js';
import { fetchVerified } from '../../lake/verify.js';

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

test('addresses: a folder, file://, and nothing else', () => {
  expect(openLake(dir).url).toBe(dir);
  expect(openLake(`file://${dir}`).url).toBe(dir);
  for (const url of ['s3://bucket/lake', 'https://x/y', 'file://other-host/x']) {
    expect(() => openLake(url), url).toThrow(expect.objectContaining({ code: 'invalid_config' }));
  }
});
