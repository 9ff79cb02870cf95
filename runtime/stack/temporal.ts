import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SEARCH_ATTRIBUTE_TYPES } from '../../workflows/search-attribute-types.js';
import {
  answers,
  launch,
  readRecord,
  runningProcess,
  untilReady,
  type Running,
  type StartOptions,
} from './component.js';
import { accepts, freePort } from './ports.js';
import { end, type ProcessRef } from './process.js';
import { temporalBinary } from './temporal-binary.js';

/**
 * Starts the Temporal dev server with its UI on a SQLite file under `dir`, or finds the one that
 * runs there. `address` is host:port of the frontend, `ui` the URL of the pages.
 * @throws TruecountError `component_unavailable` if there is no binary or it does not come up.
 */
export async function startTemporal(options: StartOptions): Promise<Running> {
  const dir = resolve(options.dir);
  const record = readRecord(dir);
  const found = runningProcess(record);
  if (found !== undefined) {
    const server = running(found, record.ports, true);
    if (await answers('temporal', dir, found, () => responds(record.ports))) return server;
  }
  const binary = await temporalBinary(options.log ?? (() => undefined));
  mkdirSync(dir, { recursive: true });
  const ports: number[] = [];
  for (let i = 0; i < 4; i++) ports.push(await freePort(record.ports[i]));
  const [port, uiPort, httpPort, metricsPort] = ports.map(String);
  const args = [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', port ?? '', '--ui-ip', '127.0.0.1'],
    ...[
      '--ui-port',
      uiPort ?? '',
      '--http-port',
      httpPort ?? '',
      '--metrics-port',
      metricsPort ?? '',
    ],
    ...['--db-filename', join(dir, 'temporal.db'), '--log-format', 'json', '--log-level', 'warn'],
    ...searchAttributeFlags(),
  ];
  const env = { ...process.env, TEMPORAL_CLI_DISABLE_UPDATE_CHECK: '1' };
  const ref = await launch('temporal', dir, { command: binary.path, args, env }, ports);
  await untilReady('temporal', dir, ref, () => responds(ports), 60_000);
  return running(ref, ports, false);
}

/** A dev server that begins anew knows the search attributes at once. */
function searchAttributeFlags(): string[] {
  return Object.entries(SEARCH_ATTRIBUTE_TYPES).flatMap(([name, type]) => [
    '--search-attribute',
    `${name}=${type.slice(0, 1)}${type.slice(1).toLowerCase()}`,
  ]);
}

function running(ref: ProcessRef, ports: readonly number[], attached: boolean): Running {
  return {
    name: 'temporal',
    address: `127.0.0.1:${String(ports[0])}`,
    ui: `http://127.0.0.1:${String(ports[1])}`,
    pid: ref.pid,
    process: ref,
    attached,
    stop: () => end(ref, { deadlineMs: 15_000 }),
  };
}

/** Whether the frontend answers (its HTTP door, GetSystemInfo) and the UI accepts connections. */
async function responds(ports: readonly number[]): Promise<boolean> {
  try {
    const url = `http://127.0.0.1:${String(ports[2])}/api/v1/system-info`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    return answer.ok && (await accepts('127.0.0.1', ports[1] ?? 0));
  } catch {
    return false;
  }
}
