import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { utimes } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { TruecountError } from '../../core/errors.js';

/** A lock of another host, or pod, counts for so long after its owner's last sign of life. */
const SILENT_MS = 30_000;

interface Owner {
  readonly host: string;
  readonly pid: number;
  /** When the process started, as the system says it: a recycled pid is another process. */
  readonly started: string;
  readonly token: string;
}

/** How processes of this host are told apart. */
export interface ProcessTable {
  startedOf(pid: number): string | undefined;
}

/**
 * A lock file: two tails must not write one state. Of the same host a dead owner is seen at once;
 * of another one (a pod that shares a volume) after SILENT_MS.
 */
export class StateLock {
  private constructor(
    private readonly path: string,
    private readonly text: string,
  ) {}

  /** @throws TruecountError `conflict` if another tail has it. */
  static take(path: string, processes: ProcessTable, nowMs: number): StateLock {
    const started = processes.startedOf(process.pid) ?? '';
    const token = randomBytes(9).toString('base64url');
    const owner: Owner = { host: hostname(), pid: process.pid, started, token };
    const text = JSON.stringify(owner);
    for (let attempt = 1; ; attempt++) {
      try {
        writeFileSync(path, text, { flag: 'wx', mode: 0o640 });
        return new StateLock(path, text);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const other = readOwner(path);
      if (attempt > 2 || (other !== undefined && lives(other, path, processes, nowMs))) {
        throw taken(path, other);
      }
      // Away by rename: of two that find it dead, one has the file in hand and goes on.
      const aside = `${path}.${token}`;
      try {
        renameSync(path, aside);
        rmSync(aside);
      } catch {
        // The other one was faster.
      }
    }
  }

  /**
   * A sign of life; to be given more often than every SILENT_MS, and before each write of the state.
   * @throws TruecountError `conflict` if another tail has the lock by now, or nobody.
   */
  async hold(): Promise<void> {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw gone(this.path);
      throw error; // perhaps it can be read again
    }
    if (text !== this.text) throw taken(this.path, readOwner(this.path));
    const now = new Date();
    await utimes(this.path, now, now);
  }

  release(): void {
    if (readText(this.path) === this.text) rmSync(this.path, { force: true });
  }
}

function lives(owner: Owner, path: string, processes: ProcessTable, nowMs: number): boolean {
  if (owner.host === hostname()) return processes.startedOf(owner.pid) === owner.started;
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats !== undefined && nowMs - stats.mtimeMs < SILENT_MS;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Undefined for a lock that a crash left half written. */
function readOwner(path: string): Owner | undefined {
  try {
    return JSON.parse(readText(path) ?? '') as Owner;
  } catch {
    return undefined;
  }
}

function gone(path: string): TruecountError {
  return new TruecountError('conflict', `the lock of the state file is gone: ${path}`, {
    hint: 'somebody removed it, perhaps with its folder: start the tail again',
    context: { lock: path },
  });
}

function taken(path: string, owner: Owner | undefined): TruecountError {
  const who =
    owner === undefined ? 'another tail' : `process ${String(owner.pid)} on ${owner.host}`;
  return new TruecountError('conflict', `${who} has the state file: ${path} is its lock`, {
    hint: 'stop it first, or name another state file with --state',
    context: { lock: path },
  });
}
