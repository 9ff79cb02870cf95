import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { runningUrl, serviceHealth } from '../../runtime/service-health.js';
import { processRef } from '../../runtime/stack/process.js';
import type { ServiceState } from '../../runtime/stack/state.js';

let server: Server | undefined;

afterEach(() => {
  server?.close();
  server = undefined;
});

const self = processRef(process.pid)!;
const gone = { pid: process.pid, started: 'at another time' };

function service(name: string, more: Partial<ServiceState> = {}): ServiceState {
  return { name, process: self, url: 'http://127.0.0.1:1', restarts: 2, ...more };
}

/** A service whose /health/ready answers so. */
async function answering(status: number, body: string): Promise<string> {
  server = createServer((request, response) => {
    response.writeHead(request.url === '/health/ready' ? status : 404).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

it('calls a service up that runs and has said where, and down that ended or is starting', async () => {
  expect(await serviceHealth(service('api'))).toMatchObject({ name: 'api', ok: true });
  const ended = await serviceHealth(service('api', { process: gone }));
  expect(ended).toEqual({ name: 'api', ok: false, detail: 'ended, restarts 2' });
  const starting = await serviceHealth(service('collect', { url: null }));
  expect(starting.ok).toBe(false);
  expect(starting.detail).toContain('starting');
});

it('calls a collector up only if it takes clicks', async () => {
  const url = await answering(200, '{"status":"ready"}');
  expect(await serviceHealth(service('collect', { url }))).toMatchObject({ ok: true });
  server?.close();
  const away = await answering(503, '{"detail":"no clicks are taken: Kafka is away"}');
  expect(await serviceHealth(service('collect', { url: away }))).toMatchObject({
    ok: false,
    detail: expect.stringContaining('restarts 2: no clicks are taken: Kafka is away') as string,
  });
});

it('says that a collector does not answer, or answers what nobody understands', async () => {
  const silent = await serviceHealth(service('collect'));
  expect(silent.ok).toBe(false);
  expect(silent.detail).toContain('does not answer');
  const url = await answering(200, 'hello');
  expect(await serviceHealth(service('collect', { url }))).toMatchObject({ ok: false });
});

it('gives the address of a service only while it runs', () => {
  const state = { version: 1, supervisor: null, components: {} } as const;
  expect(runningUrl({ ...state, services: [service('collect')] }, 'collect')).toBe(
    'http://127.0.0.1:1',
  );
  const dead = service('collect', { process: gone });
  expect(runningUrl({ ...state, services: [dead] }, 'collect')).toBeNull();
  expect(runningUrl({ ...state, services: [] }, 'collect')).toBeNull();
});
