import { readFileSync, readdirSync } from 'node:fs';

const TITLES = {
  all: /task-process|^truecount task: /,
  busy: /^truecount task: (?!idle)/,
  idle: /^truecount task: idle/,
};

/**
 * The processes that a worker runs tasks of recomputes in, from /proc: all of them, those that are
 * running a task now, or those that wait for one.
 */
export function taskProcessesOf(workerPid: number, which: keyof typeof TITLES = 'all'): number[] {
  const isTask = TITLES[which];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
        const command = readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8');
        return Number(parent?.[1]) === workerPid && isTask.test(command);
      } catch {
        return false; // it has ended meanwhile
      }
    });
}

/** The next task needs a new process then, which takes it long enough to be caught at it. */
export function killIdleTaskProcesses(workerPid: number): void {
  for (const pid of taskProcessesOf(workerPid, 'idle')) process.kill(pid, 'SIGKILL');
}

/** False for a process that is gone, or has ended and is not collected yet. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  } catch {
    return false;
  }
}
