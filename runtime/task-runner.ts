import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunOptions, TaskRunner } from '../batch/runner.js';
import type { AggregateResult } from '../batch/task.js';
import type { LoadedGeneration } from '../core/generation-draft.js';
import type { Config } from './config.js';
import { postgresPoolOptions } from './postgres-options.js';
import { isRunning, processRef } from './stack/process.js';
import type { TaskOrder } from './task-messages.js';
import { TaskPool } from './task-pool.js';

type RunnerConfig = Pick<Config, 'home' | 'lakeUrl' | 'postgresUrl' | 'postgresPoolSize'> & {
  readonly batch: Pick<Config['batch'], 'memoryMb' | 'threads' | 'rowsPerFileMax'>;
};

/**
 * Runs each task in a process that it has for itself meanwhile, which is killed when the caller's
 * signal is aborted. The task's folder for spilled data is removed when it ends, however it ends.
 */
export function createTaskRunner(config: RunnerConfig): TaskRunner {
  const scratch = join(config.home, 'scratch');
  const { memoryMb, threads, rowsPerFileMax } = config.batch;
  const limits = { memoryMb, threads, rowsPerFileMax };
  const pool = new TaskPool();
  const run = async (job: TaskOrder['job'], options: RunOptions): Promise<unknown> => {
    options.signal.throwIfAborted();
    const scratchDir = newFolder(scratch);
    try {
      return await pool.run({ job, lakeUrl: config.lakeUrl, limits, scratchDir }, options);
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
