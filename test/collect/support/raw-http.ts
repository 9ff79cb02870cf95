import { connect } from 'node:net';

/** Begin of a request with clicks; its length, an empty line and its body are to follow. */
export const HEAD = 'POST /clicks HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';

/**
 * Writes bytes as they are, and gives all that comes back until the connection ends. `halfClose`:
 * nothing more will be sent, which the other side is told at once.
 */
export function raw(
  url: string,
  bytes: string | Buffer,
  { halfClose = false } = {},
): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: halfClose });
    if (halfClose) socket.end(bytes);
    else socket.write(bytes);
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      resolve(text);
    });
  });
}

/** Status and code of an answer as it came over the wire. */
export function verdictOf(answer: string): [number, string] {
  const [, code = ''] = /"code":"([a-z_]+)"/.exec(answer) ?? [];
  return [Number(answer.slice(9, 12)), code];
}
