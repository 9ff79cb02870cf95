import { readFileSync, readdirSync } from 'node:fs';

/**
 * The processes that a worker runs tasks of recomputes in, from /proc: all of them, or those that are
 * running a task now.
 */
export function taskProcessesOf(workerPid: number, which: 'all' | 'busy' = 'all'): number[] {
  const isTask = which === 'all' ? /task-process|^truecount task: / : /^truecount task: (?!idle)/;
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

/** False for a process that is gone, or has ended and is not collected yet. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  } catch {
    return false;
  }
}
