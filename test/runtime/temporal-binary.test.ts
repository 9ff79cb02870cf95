import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { temporalBinary, type TemporalSources } from '../../runtime/stack/temporal-binary.js';
import { downloadTemporal } from '../../runtime/stack/temporal-download.js';

const binary = (from: string) => ({ path: `/${from}`, from });

/** Sources that have nothing, but for what the test gives; `asked` gets what was tried. */
function sources(asked: string[], more: Partial<TemporalSources>): TemporalSources {
  const all: TemporalSources = {
    find: () => undefined,
    download: () => Promise.reject(new Error('no such host')),
    goVersion: () => undefined,
    build: () => Promise.reject(new Error('not to be asked')),
    ...more,
  };
  return {
    ...all,
    download: (log) => (asked.push('download'), all.download(log)),
    build: (log) => (asked.push('build'), all.build(log)),
  };
}

const find = () => binary('found');
const download = () => Promise.resolve(binary('downloaded'));
const build = () => Promise.resolve(binary('built'));
const goVersion = () => '1.26.0';

it.each([
  ['takes what is there and asks for nothing', { find, download, build, goVersion }, 'found', []],
  ['downloads before it builds', { download, build, goVersion }, 'downloaded', ['download']],
  ['builds when there is no download', { build, goVersion }, 'built', ['download', 'build']],
])('%s', async (_, given, from, tried) => {
  const asked: string[] = [];
  expect(await temporalBinary(() => undefined, sources(asked, given))).toEqual(binary(from));
  expect(asked).toEqual(tried);
});

it('says why it builds', async () => {
  const lines: string[] = [];
  await temporalBinary((line) => lines.push(line), sources([], { build, goVersion }));
  expect(lines).toEqual(['temporal: no download (no such host)']);
});

it('says all that was tried when nothing is to be had', async () => {
  const tried = temporalBinary(() => undefined, sources([], { build }));
  await expect(tried).rejects.toMatchObject({
    code: 'component_unavailable',
    message: 'there is no temporal, no download (no such host), and no Go to build it',
  });
});

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'truecount-download-'));
});

afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** Downloads by a script in the SDK's place, into an empty folder. */
async function downloadBy(script: string): Promise<string[]> {
  const [into, file] = [mkdtempSync(join(dir, 'into-')), join(dir, 'script.mjs')];
  writeFileSync(file, `import { writeFileSync } from 'node:fs';\nconst into = process.argv[2];\n`);
  writeFileSync(file, script, { flag: 'a' });
  await downloadTemporal(into, '1.5.1', { script: file, beginMs: 1_500, wholeMs: 3_000 });
  return readdirSync(into);
}

const WAIT = 'setInterval(() => undefined, 1000);';

it('keeps a whole download although the server did not come up on it', async () => {
  const script = 'writeFileSync(`${into}/temporal-${process.argv[3]}`, ""); process.exitCode = 1;';
  expect(await downloadBy(script)).toEqual(['temporal']);
});

it.each([
  ['fails, with its reason', 'console.error("x\\nno such host"); process.exitCode = 1;', 'no such'],
  ['never begins', WAIT, 'not there after 1.5 s'],
  ['never ends', `writeFileSync(into + '/temporal-v1.5.1.downloading', ''); ${WAIT}`, 'after 3 s'],
  ['leaves nothing', '', 'it left no file'],
])('gives up a download that %s', async (_, script, why) => {
  await expect(downloadBy(script)).rejects.toThrow(why);
});
