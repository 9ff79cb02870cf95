import { readFileSync, readdirSync } from 'node:fs';

/** Clock ticks a second of /proc/PID/stat: 100 on every Linux that Node runs on (proc(5)). */
const TICKS_PER_SECOND = 100;

interface Stat {
  readonly parent: number;
  /** CPU seconds of the process itself, and of its children that have ended. */
  readonly own: number;
  readonly ended: number;
}

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const seconds = (field: number): number => Number(fields[field - 3]) / TICKS_PER_SECOND;
    return {
      parent: Number(fields[1]),
      own: seconds(14) + seconds(15),
      ended: seconds(16) + seconds(17),
    };
  } catch {
    return undefined;
  }
}

/** CPU seconds, user and system, of a process and all its children, ended ones included. */
export function cpuSeconds(pid: number): number {
  const root = statOf(pid);
  if (root === undefined) return 0;
  let sum = root.own + root.ended;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = statOf(Number(name));
    if (stat?.parent === pid) sum += stat.own + stat.ended;
  }
  return sum;
}

/** Processes that this one has started and that still run. */
export function childrenOf(pid: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((child) => statOf(child)?.parent === pid);
}

/** Peak resident memory of a process in bytes; 0 if it is gone. */
export function peakRssBytes(pid: number): number {
  return statusBytes(pid, /^VmHWM:\s+(\d+) kB/m);
}

/** Resident memory of a process in bytes; 0 if it is gone. */
export function rssBytes(pid: number): number {
  return statusBytes(pid, /^VmRSS:\s+(\d+) kB/m);
}

function statusBytes(pid: number, line: RegExp): number {
  try {
    const status = readFileSync(`/proc/${String(pid)}/status`, 'latin1');
    return Number(line.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
