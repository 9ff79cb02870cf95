// dist/truecount-tail.mjs: `truecount tail` in one file that runs with Node alone, without packages.
// Why, and what else there was: docs/decisions/0014-the-tail-in-one-file.md.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { ROOT, readJson } from './package-files.mjs';

const BUNDLE = join(ROOT, 'dist/truecount-tail.mjs');
/** What is in the bundle changes only when one of these does. */
const MADE_OF = [
  'dist/tsconfig.tsbuildinfo',
  'node_modules/.package-lock.json',
  'dist/node_modules/typebox/package.json',
  'scripts/tail-bundle.mjs',
  'LICENSE',
];

function changedMs(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

function isFresh() {
  return MADE_OF.every((path) => changedMs(join(ROOT, path)) < changedMs(BUNDLE));
}

/** Where there is one file, there is no package.json of kafkajs: its version is put in. */
function withKafkajsVersion() {
  const { version } = readJson(ROOT, 'node_modules/kafkajs/package.json');
  const filter = { id: /\/dist\/stream\/kafka\/kafkajs-version\.js$/ };
  const code = `export const kafkajsVersion = () => ${JSON.stringify(version)};`;
  return { name: 'kafkajs-version', load: { filter, handler: () => code } };
}

/** The folder of the package that a module belongs to. */
function packageOf(module) {
  let folder = dirname(module);
  // Some packages have more of them further in, without a name.
  while (!existsSync(join(folder, 'package.json')) || !readJson(folder, 'package.json').name) {
    folder = dirname(folder);
  }
  return folder;
}

/** Who may be asked for what is in the bundle: a comment, so that the one file is all there is. */
function licenses(modules) {
  const folders = new Set(modules.filter(isAbsolute).map(packageOf)); // others are the bundler's
  const texts = [...folders].map((folder) => {
    const { name, version, license } = readJson(folder, 'package.json');
    const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice)\b/i.test(file));
    const contents = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
    return [`${name} ${version}, license: ${license}`, ...contents].join('\n\n');
  });
  const rule = `\n\n${'-'.repeat(80)}\n\n`;
  return `/*\n${texts.sort().join(rule).replaceAll('*/', '* /')}\n*/\n`;
}

/** Makes the bundle unless it is of what `tsc` built last and of the packages that are installed. */
export async function bundleTail() {
  if (isFresh()) return;
  const { rolldown } = await import('rolldown'); // here, since it is seldom needed
  const build = await rolldown({
    input: join(ROOT, 'dist/cli/tail-main.js'),
    platform: 'node',
    plugins: [withKafkajsVersion()],
  });
  const { output } = await build.generate({ format: 'esm', codeSplitting: false, comments: false });
  await build.close();
  const [{ code, modules }] = output;
  const beside = `${BUNDLE}.${process.pid}`; // moved when done: nobody finds half a bundle
  mkdirSync(dirname(BUNDLE), { recursive: true });
  const text = `#!/usr/bin/env node\n${code}${licenses(Object.keys(modules))}`;
  writeFileSync(beside, text, { mode: 0o755 });
  renameSync(beside, BUNDLE);
}
