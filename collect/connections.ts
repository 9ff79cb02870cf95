import { STATUS_CODES, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TruecountError } from '../core/errors.js';
import { problemOf, type Problem } from '../core/problem.js';
import { ALWAYS } from './problem.js';

/** Codes of Node's HTTP parser and timers for what never became a request. */
const CLIENT_ERRORS: Readonly<Record<string, TruecountError>> = {
  HPE_HEADER_OVERFLOW: new TruecountError('headers_too_large', 'the headers are too long'),
  ERR_HTTP_REQUEST_TIMEOUT: new TruecountError('request_timeout', 'the request came too slowly'),
};
const MALFORMED = new TruecountError('invalid_argument', 'this is no HTTP request');

/**
 * Connections of the collector, and which requests of each are unanswered. Whatever comes behind a
 * request that is whole, and whether the client still sends (Node would end the connection with it),
 * it gets its answer: its clicks may be on the log.
 */
export class Connections {
  private readonly unanswered = new WeakMap<Socket, Set<ServerResponse>>();
  /** To be ended once what is unanswered has its answer. */
  private readonly ending = new WeakSet<Socket>();

  watch(server: Server): void {
    Object.assign(server, { httpAllowHalfOpen: true }); // of net.Server's options, not in the types
    server.on('request', ({ socket }, response) => {
      const open = this.unanswered.get(socket) ?? new Set();
      this.unanswered.set(socket, open.add(response));
      response.once('close', () => open.delete(response));
    });
  }

  /** Ends a connection whose bytes are no request, or came too slowly, with what is to say of it. */
  refuse(error: Error & { code?: string }, socket: Socket): void {
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    if (this.ending.has(socket)) return;
    const last = this.lastToAnswer(socket);
    if (last === undefined) {
      sayAndEnd(error.code, socket);
      return;
    }
    this.ending.add(socket);
    if (!last.headersSent) last.setHeader('connection', 'close');
    last.once('close', () => {
      socket.destroySoon();
    });
  }

  /** Answers go out in the order of their requests; only the last one may not be whole. */
  private lastToAnswer(socket: Socket): ServerResponse | undefined {
    const open = [...(this.unanswered.get(socket) ?? [])];
    return open.findLast(({ req, headersSent }) => req.complete || headersSent);
  }
}

function sayAndEnd(code: string | undefined, socket: Socket): void {
  const problem: Problem = problemOf(CLIENT_ERRORS[code ?? ''] ?? MALFORMED, 'none');
  const body = JSON.stringify(problem);
  const headers = {
    connection: 'close',
    ...ALWAYS,
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(body)),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const { status } = problem;
  socket.write(
    `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`,
  );
  socket.destroySoon(); // whether or not the other side ends it, too
}
