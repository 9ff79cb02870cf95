import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunOptions, TaskRunner } from '../batch/runner.js';
import type { AggregateResult } from '../batch/task.js';
import { TruecountError } from '../core/errors.js';
import type { LoadedGeneration } from '../core/generation-draft.js';
import type { Config } from './config.js';
import { postgresPoolOptions } from './connections.js';
import { packageFile } from './package-root.js';
import { isRunning, processRef } from './stack/process.js';
import { unpackError } from './task-messages.js';
import type { TaskMessage, TaskOrder } from './task-messages.js';

const STDERR_CHARS_MAX = 4_000;

type RunnerConfig = Pick<Config, 'home' | 'lakeUrl' | 'batch' | 'postgresUrl' | 'postgresPoolSize'>;

/**
 * Runs each task in a process of its own, which is killed when the caller's signal is aborted, and
 * whose folder for spilled data is removed when it ends, however it ends. A process that dies is
 * `kernel_failed`, and takes nothing with it.
 */
export function createTaskRunner(config: RunnerConfig): TaskRunner {
  const scratch = join(config.home, 'scratch');
  const { memoryMb, threads, rowsPerFileMax } = config.batch;
  const limits = { memoryMb, threads, rowsPerFileMax };
  const run = async (job: TaskOrder['job'], options: RunOptions): Promise<unknown> => {
    options.signal.throwIfAborted();
    const scratchDir = newFolder(scratch);
    try {
      return await inProcess({ job, lakeUrl: config.lakeUrl, limits, scratchDir }, options);
    } finally {
      await rm(scratchDir, { recursive: true, force: true });
    }
  };
  return {
    aggregate: (task, options) =>
      run({ kind: 'aggregate', task }, options) as Promise<AggregateResult>,
    load: (draft, cells, options) => {
      const { connectionString: postgresUrl = '' } = postgresPoolOptions(config as Config);
      return run({ kind: 'load', draft, cells, postgresUrl }, options) as Promise<LoadedGeneration>;
    },
  };
}

/** A folder named after this process; those of processes that are gone are removed. */
function newFolder(parent: string): string {
  mkdirSync(parent, { recursive: true });
  for (const name of readdirSync(parent)) {
    if (isLeftOver(name)) rmSync(join(parent, name), { recursive: true, force: true });
  }
  return mkdtempSync(join(parent, `${ownName()}-`));
}

function ownName(): string {
  const started = processRef(process.pid)?.started ?? '';
  return `${String(process.pid)}@${encodeURIComponent(started)}`;
}

function isLeftOver(name: string): boolean {
  const [, pid, started] = /^(\d+)@(.*)-[^-]{6}$/.exec(name) ?? [];
  if (pid === undefined || started === undefined) return false;
  return !isRunning({ pid: Number(pid), started: decodeURIComponent(started) });
}

/** Starts a task process, gives it its order, and settles with what it says or how it ends. */
function inProcess(order: TaskOrder, options: RunOptions): Promise<unknown> {
  const { signal } = options;
  const child = spawn(process.execPath, [packageFile('dist', 'runtime', 'task-process.js')], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    let outcome: (() => void) | undefined;
    const stderr = lastOf(child);
    const kill = (): void => {
      child.kill('SIGKILL');
    };
    signal.addEventListener('abort', kill, { once: true });
    child.on('message', (message: TaskMessage) => {
      if (message.kind === 'ready') child.send(order);
      else if (message.kind === 'progress') options.onProgress(message.progress);
      else if (message.kind === 'done') outcome = () => resolve(message.result);
      else outcome = () => reject(unpackError(message.error));
    });
    child.on('error', (error) => {
      outcome ??= () => reject(died(`did not start: ${error.message}`, stderr()));
    });
    // Everything that it holds (files, a Postgres session) is free once it has ended.
    child.once('close', (code, killedBy) => {
      signal.removeEventListener('abort', kill);
      if (signal.aborted) reject(signal.reason as Error);
      else if (outcome !== undefined) outcome();
      else reject(died(`ended with ${killedBy ?? `exit code ${String(code)}`}`, stderr()));
    });
    if (signal.aborted) kill();
  });
}

/** The last that a process wrote to stderr. */
function lastOf(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.setEncoding('utf8');
  child.stderr?.on('data', (chunk: string) => {
    text = (text + chunk).slice(-STDERR_CHARS_MAX);
  });
  return () => text.trim();
}

function died(how: string, stderr: string): TruecountError {
  const said = stderr === '' ? '' : `: ${stderr.split('\n').slice(-3).join(' | ')}`;
  return new TruecountError('kernel_failed', `the task's process ${how}${said}`, {
    hint: 'killed by SIGKILL, it was most likely short of memory: see batch.memoryMb, batch.tasks',
    context: { stderr },
  });
}
