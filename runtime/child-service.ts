import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import type { ServiceMessage } from './run-to-end.js';
import type { ServiceName } from './services.js';
import { processRef } from './stack/process.js';
import type { ServiceState } from './stack/state.js';

export interface ChildOptions {
  /** Name among the services, such as `stream-1`. */
  readonly name: string;
  readonly service: ServiceName;
  /** The compiled command line. */
  readonly program: string;
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
  readonly log: Logger;
  /** Called whenever its state has changed. */
  readonly onChange: () => void;
}

const BACKOFF_MIN_MS = 500;
const BACKOFF_MAX_MS = 30_000;
/** A service that ran this long was healthy: the next restart is quick again. */
const HEALTHY_MS = 60_000;

/** One service as a child process that is started again when it dies, with growing pauses. */
export class ChildService {
  #child: ChildProcess | undefined;
  #url: string | null = null;
  #restarts = 0;
  #backoffMs = BACKOFF_MIN_MS;
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(private readonly options: ChildOptions) {
    mkdirSync(dirname(options.logFile), { recursive: true });
  }

  start(): void {
    const { service, program, env, logFile } = this.options;
    const output = openSync(logFile, 'a');
    // The environment has every setting: a truecount.yaml that lies here adds none.
    const args = [program, 'run', service, '--config', devNull];
    const child = spawn(process.execPath, args, {
      env,
      detached: true, // a Ctrl-C at the terminal is for the supervisor, which stops it in order
      stdio: ['ignore', output, output, 'ipc'],
    });
    closeSync(output);
    this.#child = child;
    const startedMs = performance.now();
    child.on('message', (message: ServiceMessage) => {
      this.#url = message.url;
      this.options.onChange();
    });
    child.once('error', () => undefined); // `exit` or `close` follows and says the same
    child.once('close', (code, signal) => {
      this.#ended(signal ?? `exit code ${String(code)}`, performance.now() - startedMs);
    });
    this.options.onChange();
  }

  #ended(how: string, afterMs: number): void {
    this.#child = undefined;
    this.#url = null;
    if (this.#stopping) return;
    if (afterMs > HEALTHY_MS) this.#backoffMs = BACKOFF_MIN_MS;
    const { name, log, onChange } = this.options;
    log.warn(
      { service: name, how, backoffMs: this.#backoffMs },
      'a service ended; starting it again',
    );
    this.#restarts += 1;
    onChange();
    this.#timer = setTimeout(() => {
      this.start();
    }, this.#backoffMs);
    this.#backoffMs = Math.min(2 * this.#backoffMs, BACKOFF_MAX_MS);
  }

  get name(): string {
    return this.options.name;
  }

  /** Whether it has said that it runs. */
  get ready(): boolean {
    return this.#url !== null;
  }

  /** As it is written to `stack.json`. */
  state(): ServiceState {
    const pid = this.#child?.pid;
    const ref = pid === undefined ? undefined : processRef(pid);
    const { name } = this.options;
    return { name, process: ref ?? null, url: this.#url, restarts: this.#restarts };
  }

  /** SIGTERM, and SIGKILL after the deadline. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined) return;
    const closed = new Promise<void>((resolve) => {
      child.once('close', () => {
        resolve();
      });
    });
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
    await closed;
    clearTimeout(timer);
  }
}
