import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { packageFile } from '../../runtime/package-root.js';
import { truecount } from '../support/command-line.js';

const PACKAGE = packageFile('node_modules', 'typebox');
const BUNDLE = packageFile('dist', 'node_modules', 'typebox');

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** The modules that a run of the command line loads: V8 lists them when it measures coverage. */
async function loadedModules(args: readonly string[]): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'truecount-modules-'));
  try {
    const outcome = await truecount(args, { NODE_V8_COVERAGE: folder });
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    return readdirSync(folder).flatMap((name) => {
      const { result } = readJson(join(folder, name)) as { result: { url: string }[] };
      return result.map(({ url }) => url);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What an entry of typebox exports, by the name of the entry. */
async function exportsOf(root: string): Promise<Map<string, string[]>> {
  const manifest = readJson(join(root, 'package.json')) as {
    exports: Record<string, string | { import: string }>;
  };
  const files = Object.entries(manifest.exports).map(async ([entry, target]) => {
    const file = typeof target === 'string' ? target : target.import;
    const loaded = (await import(pathToFileURL(join(root, file)).href)) as object;
    return [entry, Object.keys(loaded).sort()] as const;
  });
  return new Map(await Promise.all(files));
}

it('a verb that checks settings loads typebox from a few files, none of the package', async () => {
  const modules = await loadedModules(['hours', '--help']);
  const typebox = modules.filter((url) => url.includes('/node_modules/typebox/'));
  const bundle = pathToFileURL(BUNDLE).href;
  expect(typebox.filter((url) => !url.startsWith(bundle))).toEqual([]);
  expect(typebox.length).toBeGreaterThan(0); // else this test looks for the wrong thing
  expect(typebox.length).toBeLessThanOrEqual(20);
});

it('the bundle of typebox has the entries, the exports and the license of the package', async () => {
  expect(await exportsOf(BUNDLE)).toEqual(await exportsOf(PACKAGE));
  expect(readFileSync(join(BUNDLE, 'LICENSE'))).toEqual(readFileSync(join(PACKAGE, 'license')));
});

it('what tests import as typebox is the bundle', async () => {
  const bundle = (await import(pathToFileURL(join(BUNDLE, 'index.mjs')).href)) as {
    default: unknown;
  };
  const imported = await import('typebox');
  expect(imported.default).toBe(bundle.default); // the very object, not one that looks like it
});
