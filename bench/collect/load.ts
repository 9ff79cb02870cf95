/**
 * A process that sends clicks to a collector over HTTP at a given rate and knows which of them were
 * acknowledged. One request is under way on each connection; what is due while all are busy waits,
 * and its latency counts from when it was due. What is not acknowledged is sent again with the
 * same id. Sockets and answers are handled by hand, so that the load costs little of the machine.
 * Patient connections rest for Retry-After once they were refused, as good clients do.
 */
import { connect, type Socket } from 'node:net';
import { bodyOf } from './clicks.js';

export interface LoadTask {
  readonly host: string;
  readonly port: number;
  readonly run: string;
  /** Event time of all clicks, epoch ms. */
  readonly timeMs: number;
  readonly perSecond: number;
  readonly seconds: number;
  readonly connections: number;
  /** Clicks in one request. */
  readonly clicks: number;
  /** Whether connections rest as Retry-After says; else what was refused is tried after 200 ms. */
  readonly patient: boolean;
  /** How long what is not acknowledged is tried after the last request was due. */
  readonly aftermathMs: number;
}

export interface LoadResult {
  readonly requests: number;
  /** When the first request was due, epoch ms. */
  readonly startedMs: number;
  /** From the first request to the last acknowledgement. */
  readonly tookMs: number;
  /** From the first request to the end of the schedule, or until the last of it was sent. */
  readonly sendingMs: number;
  /** Per request, from when it was due to its acknowledgement; NaN without one. */
  readonly latenciesMs: Float64Array;
  /** Per request, from when it was due until it was sent the first time; NaN if it never was. */
  readonly waitsMs: Float64Array;
  readonly tries: Uint16Array;
  /** Answers by status; `0` are connections that broke. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Of the answers with 503, those without Retry-After. */
  readonly withoutRetryAfter: number;
}

const RETRY_MS = 200;

const HEAD_END = Buffer.from('\r\n\r\n');
const LENGTH = Buffer.from('content-length: ');
const RETRY_AFTER = Buffer.from('retry-after: ');

class Load {
  private readonly total: number;
  private readonly latenciesMs: Float64Array;
  private readonly waitsMs: Float64Array;
  private readonly tries: Uint16Array;
  private readonly statuses: Record<string, number> = {};
  private withoutRetryAfter = 0;
  private readonly free: Socket[] = [];
  private readonly again: { n: number; atMs: number }[] = [];
  private readonly startMs = performance.now();
  private next = 0;
  private acked = 0;
  private sendingMs = 0;

  constructor(private readonly task: LoadTask) {
    this.total = Math.round(task.perSecond * task.seconds);
    this.latenciesMs = new Float64Array(this.total).fill(Number.NaN);
    this.waitsMs = new Float64Array(this.total).fill(Number.NaN);
    this.tries = new Uint16Array(this.total);
  }

  async run(): Promise<LoadResult> {
    for (let i = 0; i < this.task.connections; i++) this.open();
    const endMs = this.startMs + this.task.seconds * 1000 + this.task.aftermathMs;
    while (this.acked < this.total && performance.now() < endMs) {
      this.dispatch();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const tookMs = performance.now() - this.startMs;
    for (const socket of this.free) socket.destroy();
    const { total: requests, sendingMs, latenciesMs, waitsMs, tries, statuses } = this;
    const { withoutRetryAfter } = this;
    const startedMs = performance.timeOrigin + this.startMs;
    const times = { startedMs, tookMs, sendingMs, latenciesMs, waitsMs };
    return { requests, ...times, tries, statuses, withoutRetryAfter };
  }

  private dueMs(n: number): number {
    return this.startMs + (n * 1000) / this.task.perSecond;
  }

  private dispatch(): void {
    const nowMs = performance.now();
    while (this.free.length > 0) {
      const retry = this.again[0];
      if (retry !== undefined && retry.atMs <= nowMs) {
        this.again.shift();
        this.send(this.free.pop()!, retry.n);
      } else if (this.next < this.total && this.dueMs(this.next) <= nowMs) {
        this.waitsMs[this.next] = nowMs - this.dueMs(this.next);
        this.send(this.free.pop()!, this.next++);
        this.sendingMs = nowMs - this.startMs;
      } else return;
    }
  }

  private send(socket: Socket & { request?: number }, n: number): void {
    socket.request = n;
    this.tries[n]!++;
    const { clicks } = this.task;
    const lines = Array.from({ length: clicks }, (_, i) => bodyOf(this.task, n * clicks + i));
    const body = lines.join('\n');
    socket.write(
      'POST /clicks HTTP/1.1\r\nhost: collector\r\ncontent-type: application/x-ndjson\r\n' +
        `content-length: ${String(body.length)}\r\n\r\n${body}`,
    );
  }

  private open(): void {
    const { host, port } = this.task;
    const socket: Socket & { request?: number } = connect({ host, port, noDelay: true });
    let partial: Buffer | undefined;
    socket.on('connect', () => {
      this.free.push(socket);
    });
    socket.on('data', (chunk) => {
      if (socket.request === undefined) return; // idle for too long: it is told so, and closed
      const answer = partial === undefined ? chunk : Buffer.concat([partial, chunk]);
      const status = statusOf(answer);
      partial = status === undefined ? answer : undefined;
      if (status === undefined) return;
      const pauseMs = this.answered(socket.request, status, answer);
      delete socket.request;
      if (!answer.includes('connection: close')) this.release(socket, pauseMs);
      this.dispatch();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const at = this.free.indexOf(socket);
      if (at >= 0) this.free.splice(at, 1);
      if (socket.request !== undefined) this.answered(socket.request, 0);
      setTimeout(() => {
        if (this.acked < this.total) this.open();
      }, RETRY_MS);
    });
  }

  private release(socket: Socket, pauseMs: number): void {
    if (pauseMs === 0 || !this.task.patient) this.free.push(socket);
    else {
      setTimeout(() => {
        if (!socket.destroyed) this.free.push(socket);
      }, pauseMs);
    }
  }

  /** Notes an answer, or `0` for none; how long to wait before the next try. */
  private answered(n: number, status: number, answer?: Buffer): number {
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
    const nowMs = performance.now();
    if (status === 202) {
      this.latenciesMs[n] = nowMs - this.dueMs(n);
      this.acked++;
      return 0;
    }
    const asked = answer === undefined ? undefined : numberAfter(answer, RETRY_AFTER);
    if (status === 503 && asked === undefined) this.withoutRetryAfter++;
    const pauseMs = this.task.patient && asked !== undefined ? asked * 1000 : RETRY_MS;
    this.again.push({ n, atMs: nowMs + pauseMs });
    return pauseMs;
  }
}

/** The status of an answer, if all of it is there. */
function statusOf(answer: Buffer): number | undefined {
  const end = answer.indexOf(HEAD_END);
  if (end < 0) return undefined;
  if (answer.length < end + 4 + (numberAfter(answer, LENGTH) ?? 0)) return undefined;
  return Number(answer.toString('latin1', 9, 12));
}

/** The number behind the name of a header; undefined if it is not there. */
function numberAfter(answer: Buffer, name: Buffer): number | undefined {
  const at = answer.indexOf(name);
  if (at < 0) return undefined;
  const from = at + name.length;
  return Number.parseInt(answer.toString('latin1', from, from + 8), 10);
}

if (process.send !== undefined) {
  process.once('message', (task) => {
    void new Load(task as LoadTask).run().then((result) => {
      process.send?.(result, () => {
        process.exit(0);
      });
    });
  });
}
