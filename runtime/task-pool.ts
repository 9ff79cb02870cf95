import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { RunOptions } from '../batch/runner.js';
import { TruecountError } from '../core/errors.js';
import { packageFile } from './package-root.js';
import { unpackError } from './task-messages.js';
import type { TaskMessage, TaskOrder } from './task-messages.js';

const STDERR_CHARS_MAX = 4_000;

/** How long a process without a task is kept for the next one. */
const IDLE_MS = 10_000;

/** After so many tasks a process ends, and with it whatever its allocators have kept. */
const TASKS_PER_PROCESS_MAX = 32;

/**
 * Processes that run one task at a time each. One that has done its task waits a while for another,
 * because starting it takes longer than a small task; one whose task failed or was aborted is ended,
 * and one that dies takes only its own task with it. All end when this process does.
 */
export class TaskPool {
  private readonly waiting: TaskProcess[] = [];

  /**
   * Settles with what the task says. When it rejects, all that the task held (files, a Postgres
   * session) is free.
   * @throws TruecountError the task's own, or `kernel_failed` where its process died
   */
  async run(order: TaskOrder, options: RunOptions): Promise<unknown> {
    options.signal.throwIfAborted();
    const usable = this.waiting.splice(0).filter((one) => one.isUsable());
    const waited = usable.pop();
    this.waiting.push(...usable);
    try {
      return await this.runIn(waited ?? new TaskProcess(), order, options);
    } catch (error) {
      // It died of something else, before the task: that is no attempt at it.
      if (waited?.diedUnheard !== true || options.signal.aborted) throw error;
      return this.runIn(new TaskProcess(), order, options);
    }
  }

  private async runIn(
    taskProcess: TaskProcess,
    order: TaskOrder,
    options: RunOptions,
  ): Promise<unknown> {
    const result = await taskProcess.run(order, options);
    if (taskProcess.isUsable()) this.waiting.push(taskProcess);
    return result;
  }
}

class TaskProcess {
  private readonly child: ChildProcess;
  private readonly ready: Promise<void>;
  /** Says how it ended: by then, nothing of it is left. */
  private readonly ended: Promise<string>;
  private onMessage: (message: TaskMessage) => void = () => undefined;
  private stderr = '';
  private tasks = 0;
  private heard = false;
  private idle: NodeJS.Timeout | undefined;

  constructor() {
    const script = packageFile('dist', 'runtime', 'task-process.js');
    this.child = spawn(process.execPath, [script], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
      this.stderr = (this.stderr + chunk).slice(-STDERR_CHARS_MAX);
    });
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => resolve(`did not start: ${error.message}`));
      this.child.once('close', (code, signal) =>
        resolve(`ended with ${signal ?? `exit code ${String(code)}`}`),
      );
    });
    this.ready = new Promise((resolve) => {
      this.child.once('message', () => resolve());
    });
    this.child.on('message', (message: TaskMessage) => this.onMessage(message));
  }

  isUsable(): boolean {
    return this.child.connected && !this.child.killed && this.tasks < TASKS_PER_PROCESS_MAX;
  }

  /** Whether it ended without a word about its last task. */
  get diedUnheard(): boolean {
    return !this.child.connected && !this.heard;
  }

  async run(order: TaskOrder, options: RunOptions): Promise<unknown> {
    const { signal } = options;
    this.tasks++;
    this.heard = false;
    this.stderr = '';
    this.setIdle(false);
    const kill = (): void => void this.child.kill('SIGKILL');
    signal.addEventListener('abort', kill, { once: true });
    const outcome = await Promise.race([this.ended, this.outcomeOf(order, options)]);
    signal.removeEventListener('abort', kill);
    if (typeof outcome === 'object' && outcome.kind === 'done' && !signal.aborted) {
      this.setIdle(true);
      return outcome.result;
    }
    kill();
    const how = await this.ended;
    signal.throwIfAborted();
    throw typeof outcome === 'object' && outcome.kind === 'failed'
      ? unpackError(outcome.error)
      : died(how, this.stderr.trim());
  }

  /** Gives the order, and says how the task came out, if it did. */
  private async outcomeOf(order: TaskOrder, options: RunOptions): Promise<TaskMessage> {
    const outcome = new Promise<TaskMessage>((resolve) => {
      this.onMessage = (message) => {
        this.heard ||= message.kind !== 'ready';
        if (message.kind === 'progress') options.onProgress(message.progress);
        else if (message.kind !== 'ready') resolve(message);
      };
    });
    await this.ready;
    this.child.send(order, () => undefined);
    return outcome;
  }

  /** While idle it does not keep this process alive, and it ends when its time is up. */
  private setIdle(idle: boolean): void {
    clearTimeout(this.idle);
    const parts = [this.child, this.child.channel, this.child.stderr as Socket | null];
    for (const part of parts) {
      if (idle) part?.unref();
      else part?.ref();
    }
    if (!idle) return;
    const end = (): void => {
      if (this.child.connected) this.child.disconnect();
    };
    if (this.isUsable()) this.idle = setTimeout(end, IDLE_MS).unref();
    else end();
  }
}

function died(how: string, stderr: string): TruecountError {
  const said = stderr === '' ? '' : `: ${stderr.split('\n').slice(-3).join(' | ')}`;
  return new TruecountError('kernel_failed', `the task's process ${how}${said}`, {
    hint: 'killed by SIGKILL, it was most likely short of memory: see batch.memoryMb, batch.tasks',
    context: { stderr },
  });
}
