import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process that can be told from a later one with the same pid. */
export interface ProcessRef {
  readonly pid: number;
  /** Opaque: when the process started, as the system says it. */
  readonly started: string;
}

/** The reference of a running process, or undefined if there is none (or only a zombie). */
export function processRef(pid: number): ProcessRef | undefined {
  const started = process.platform === 'linux' ? startOnLinux(pid) : startByPs(pid);
  return started === undefined ? undefined : { pid, started };
}

/** Whether this very process still runs: a recycled pid is another process. */
export function isRunning(ref: ProcessRef): boolean {
  return processRef(ref.pid)?.started === ref.started;
}

/** Sends a signal if the process still runs; says whether it was there. */
export function signal(ref: ProcessRef, name: NodeJS.Signals): boolean {
  if (!isRunning(ref)) return false;
  try {
    process.kill(ref.pid, name);
    return true;
  } catch {
    return false;
  }
}

/** Waits until the process is gone; false when the deadline passed first. */
export async function gone(ref: ProcessRef, deadlineMs: number): Promise<boolean> {
  const end = performance.now() + deadlineMs;
  while (isRunning(ref)) {
    if (performance.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return true;
}

/** Ends a process: `first`, and SIGKILL when the deadline has passed. */
export async function end(
  ref: ProcessRef,
  options: { first?: NodeJS.Signals; deadlineMs: number },
): Promise<void> {
  if (!signal(ref, options.first ?? 'SIGTERM')) return;
  if (await gone(ref, options.deadlineMs)) return;
  signal(ref, 'SIGKILL');
  await gone(ref, 5_000);
}

/** Fields 3 and 22 of /proc/PID/stat (proc(5)): state, and start in clock ticks since boot. */
function startOnLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : `${bootId()}/${fields[19] ?? ''}`;
  } catch {
    return undefined;
  }
}

let boot: string | undefined;
function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return boot;
}

function startByPs(pid: number): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    return line === '' || line.startsWith('Z') ? undefined : line.replace(/^\S+\s+/, '');
  } catch {
    return undefined;
  }
}
