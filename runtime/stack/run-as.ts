import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { TruecountError } from '../../core/errors.js';
import type { Launch } from './component.js';

interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * The user that PostgreSQL runs as where we are root, which it refuses to be: `postgres` if the
 * system has that user, else `nobody`. Undefined where we are not root.
 */
export function postgresUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const wanted of ['postgres', 'nobody']) {
    const entry = users.find(([name]) => name === wanted);
    if (entry !== undefined) return { name: wanted, uid: Number(entry[2]), gid: Number(entry[3]) };
  }
  throw new TruecountError('component_unavailable', 'PostgreSQL does not run as root', {
    hint: 'add a user named postgres, run as another user, or set TRUECOUNT_POSTGRES_URL',
  });
}

/**
 * The launch as that user. Folders on the way may be closed to it (a checkout under /root): then
 * the process keeps the one right to pass through them, given by setpriv of util-linux.
 * @throws TruecountError `component_unavailable` where that is not to be had.
 */
export function asUser(what: Launch, user: User | undefined, paths: readonly string[]): Launch {
  if (user === undefined) return what;
  const closed = paths.find((path) => !reachable(path, user));
  if (closed === undefined) return { ...what, uid: user.uid, gid: user.gid };
  if (!hasSetpriv()) {
    throw new TruecountError('component_unavailable', `user ${user.name} may not enter ${closed}`, {
      hint: 'PostgreSQL does not run as root: use a folder that others may enter, or run as a user',
    });
  }
  const ids = [`--reuid=${String(user.uid)}`, `--regid=${String(user.gid)}`, '--clear-groups'];
  const right = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override'];
  return {
    ...what,
    command: 'setpriv',
    args: [...ids, ...right, '--', what.command, ...what.args],
  };
}

function hasSetpriv(): boolean {
  try {
    execFileSync('setpriv', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Whether the user may pass every folder above `path`. */
function reachable(path: string, user: User): boolean {
  for (let dir = dirname(path); ; dir = dirname(dir)) {
    if (existsSync(dir)) {
      const { mode, uid, gid } = statSync(dir);
      const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
      if ((mode & bit) === 0) return false;
    }
    if (dir === dirname(dir)) return true;
  }
}
