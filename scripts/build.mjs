// The build: what tsc makes of the sources, and the bundles beside it. All cost little when nothing
// changed: `tsc -b` and the tail compare time stamps, the bundle of typebox knows what it was made of.
import { spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, readJson } from './package-files.mjs';
import { bundleTail } from './tail-bundle.mjs';
import { bundleTypebox } from './typebox-bundle.mjs';

const tsc = spawnSync(
  process.execPath,
  ['node_modules/typescript/bin/tsc', '-b', 'tsconfig.build.json'],
  { cwd: ROOT, stdio: 'inherit' },
);
if (tsc.error) throw tsc.error;
if (tsc.status === 0) {
  await bundleTypebox();
  await bundleTail(); // of that typebox
  makeCommandsExecutable();
}
process.exitCode = tsc.status ?? 1;

/** npx does that only when it links a command for the first time, not after a later build. */
function makeCommandsExecutable() {
  const { bin } = readJson(ROOT, 'package.json');
  for (const path of Object.values(bin)) chmodSync(join(ROOT, path), 0o755);
}
