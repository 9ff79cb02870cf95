// The build: what tsc makes of the sources, and the bundle beside it. Both cost little when nothing
// changed: `tsc -b` compares time stamps, the bundle knows what it was made of.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { bundleTypebox } from './typebox-bundle.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const tsc = spawnSync(
  process.execPath,
  ['node_modules/typescript/bin/tsc', '-b', 'tsconfig.build.json'],
  { cwd: ROOT, stdio: 'inherit' },
);
if (tsc.error) throw tsc.error;
if (tsc.status === 0) await bundleTypebox();
process.exitCode = tsc.status ?? 1;
