import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

export interface MetricsServer {
  /** Base URL, such as `http://127.0.0.1:40123`. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * `/metrics` (Prometheus text), `/health/live` (the process answers) and `/health/ready` or
 * `/health` (503 with the reason, while `ready` gives one) of a service that has no pages itself.
 * Port 0 takes a free one.
 */
export async function startMetricsServer(options: {
  registry: Registry;
  host: string;
  port: number;
  /** Why the service is not ready; undefined when it is. */
  ready: () => string | undefined;
}): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0];
    if (path === '/metrics') void sendMetrics(options.registry, response);
    else if (path === '/health/live') sendJson(response, 200, { status: 'ok' });
    else if (path === '/health' || path === '/health/ready') {
      const reason = options.ready();
      if (reason === undefined) sendJson(response, 200, { status: 'ok' });
      else sendJson(response, 503, { status: 'not_ready', reason });
    } else sendJson(response, 404, { status: 'not_found' });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return {
    url: `http://${host}:${String(port)}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
}

async function sendMetrics(registry: Registry, response: ServerResponse): Promise<void> {
  try {
    const text = await registry.metrics();
    response.writeHead(200, { 'content-type': registry.contentType }).end(text);
  } catch (error) {
    sendJson(response, 500, { status: 'failed', reason: String(error) });
  }
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
