import { readFileSync, readdirSync } from 'node:fs';

/** The processes that a worker runs tasks of recomputes in, from /proc. */
export function taskProcessesOf(workerPid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
        const command = readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8');
        return Number(parent?.[1]) === workerPid && command.includes('task-process');
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
