import { createServer, connect } from 'node:net';

/** Below the range from which systems take the near ends of connections: a port stays ours. */
const FIRST = 15_000;
const LAST = 32_000;
/** A killed process may hold its ports for a moment after it is no longer to be seen. */
const PATIENCE_MS = 3_000;

/**
 * `preferred` if it is free or soon becomes so, else some free port of 127.0.0.1. It is not
 * reserved: whoever asked has to take it.
 */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && preferred !== 0 && (await becomesFree(preferred)))
    return preferred;
  for (let tries = 0; tries < 1_000; tries++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (await bindable(port)) return port;
  }
  throw new Error(`no free port between ${String(FIRST)} and ${String(LAST)} on 127.0.0.1`);
}

async function becomesFree(port: number): Promise<boolean> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!(await bindable(port))) {
    if (performance.now() > endMs) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}

function bindable(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen({ port, host: '127.0.0.1' }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}

/** Whether something accepts connections at `host:port`. */
export function accepts(host: string, port: number, timeoutMs = 2_000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (ok: boolean): void => {
      socket.destroy();
      resolve(ok);
    };
    socket.setTimeout(timeoutMs, () => {
      finish(false);
    });
    socket.once('connect', () => {
      finish(true);
    });
    socket.once('error', () => {
      finish(false);
    });
  });
}
