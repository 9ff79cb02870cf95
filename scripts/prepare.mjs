// Makes the checkout ready to run: dependencies as the lock file says, then the build. It runs
// before `npm test`, `npm run demo` and others, so it must cost little when nothing changed.
// Plain Node without dependencies, since on a fresh clone there are none. Speaks on stderr.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, readJson } from './package-files.mjs';

const NODE_MIN = [20, 19];

function say(message) {
  process.stderr.write(`prepare: ${message}\n`);
}

function fail(message) {
  say(message);
  process.exit(1);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return;
  fail(`Node ${NODE_MIN.join('.')} or newer is needed, this is ${process.versions.node}.`);
}

function readPackages(path) {
  return readJson(ROOT, path).packages;
}

/** Why the installed packages are not those of package-lock.json; undefined when they are. */
function installProblem() {
  if (!existsSync(join(ROOT, 'node_modules/.package-lock.json'))) return 'no node_modules yet';
  const installed = readPackages('node_modules/.package-lock.json');
  for (const [path, wanted] of Object.entries(readPackages('package-lock.json'))) {
    if (path === '') continue;
    const found = installed[path];
    // Packages for other platforms are in the lock and not on the disk.
    if (found === undefined && (wanted.optional || wanted.devOptional)) continue;
    if (found === undefined) return `${path} is missing`;
    if (found.version !== wanted.version || found.integrity !== wanted.integrity) {
      return `${path} is ${found.version}, the lock says ${wanted.version}`;
    }
  }
  return undefined;
}

function run(what, command, args) {
  const startedAt = Date.now();
  const result = spawnSync(command, args, {
    cwd: ROOT,
    stdio: ['ignore', process.stderr, process.stderr],
  });
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  if (result.error) fail(`${what}: ${result.error.message}`);
  if (result.status !== 0) fail(`${what} failed after ${seconds} s (see above).`);
  say(`${what}: done in ${seconds} s`);
}

/** `npm ci`: exactly what the lock file says, and the lock file itself stays as it is. */
function installDependencies() {
  const problem = installProblem();
  if (problem === undefined) return;
  say(`installing dependencies (${problem}) ...`);
  const args = ['ci', '--no-audit', '--no-fund'];
  const npm = process.env.npm_execpath;
  if (npm?.endsWith('.js')) run('npm ci', process.execPath, [npm, ...args]);
  else run('npm ci', 'npm', args);
}

/** As `npm run build`, which costs little when the build is up to date. */
function build() {
  run('build', process.execPath, [join(ROOT, 'scripts/build.mjs')]);
}

checkNode();
installDependencies();
build();
