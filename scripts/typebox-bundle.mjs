// The bundle of typebox in dist/node_modules/typebox. The package itself is 709 modules, and to load
// those took a short command longer than all the rest. Node takes a package from the nearest
// node_modules: what is built loads the bundle, the sources say `from 'typebox'` as ever, and where
// there is no bundle they get the package, only slower.
// Why, and what else there was: docs/decisions/0013-typebox-in-few-files.md.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ROOT, readJson } from './package-files.mjs';

const PACKAGE = join(ROOT, 'node_modules/typebox');
const BUNDLE = join(ROOT, 'dist/node_modules/typebox');

/** All entries of typebox (`.`, `./value`, …): none is missing when another comes into use. */
function entries() {
  const { exports } = readJson(PACKAGE, 'package.json');
  return Object.entries(exports).map(([entry, file]) => ({
    entry,
    source: join(PACKAGE, file.import),
    name: entry === '.' ? 'index' : entry.slice(2),
  }));
}

/** The bundle's package.json; a bundle that has this one is fresh. */
function manifest() {
  const { name, version, license } = readJson(PACKAGE, 'package.json');
  const bundler = readJson(ROOT, 'node_modules/rolldown/package.json').version;
  const description = `typebox ${version}, bundled by rolldown ${bundler}`;
  const exports = Object.fromEntries(entries().map((one) => [one.entry, `./${one.name}.mjs`]));
  const fields = { name, version, description, license, type: 'module', exports };
  return `${JSON.stringify(fields, null, 2)}\n`;
}

function isFresh() {
  const path = join(BUNDLE, 'package.json');
  return existsSync(path) && readFileSync(path, 'utf8') === manifest();
}

/** Makes the bundle unless it is of the typebox and by the bundler that are installed. */
export async function bundleTypebox() {
  if (isFresh()) return;
  const { rolldown } = await import('rolldown'); // here, since it is seldom needed
  const beside = `${BUNDLE}.${process.pid}`; // moved when done: nobody finds half a bundle
  mkdirSync(beside, { recursive: true });
  const input = Object.fromEntries(entries().map(({ name, source }) => [name, source]));
  const build = await rolldown({ input, platform: 'node' });
  await build.write({ dir: beside, format: 'esm', entryFileNames: '[name].mjs' });
  await build.close();
  cpSync(join(PACKAGE, 'license'), join(beside, 'LICENSE'));
  writeFileSync(join(beside, 'package.json'), manifest());
  rmSync(BUNDLE, { recursive: true, force: true });
  renameSync(beside, BUNDLE);
}

/** For Vite's `resolve.alias`: tests load the bundle too, where there is a fresh one. */
export function typeboxAliases() {
  if (!isFresh()) return [];
  return entries().map(({ entry, name }) => ({
    find: new RegExp(`^typebox${entry.slice(1)}$`),
    replacement: join(BUNDLE, `${name}.mjs`),
  }));
}
