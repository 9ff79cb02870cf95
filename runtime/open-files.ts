import { readFileSync } from 'node:fs';

/** Where the system does not say how many there may be. */
const LIMIT_ASSUMED = 1_024;
/** More logs than any server writes. */
const OPEN_MAX = 4_096;

/** Files that one part of this process may hold open: half of those that the process may. */
export function openFilesMax(limits = processLimits()): number {
  const limit = /^Max open files +(\d+)/m.exec(limits)?.[1];
  return Math.min(OPEN_MAX, Math.floor(Number(limit ?? LIMIT_ASSUMED) / 2));
}

/** As proc(5) has it; Node has raised its soft limit to the hard one when it started. */
function processLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'latin1');
  } catch {
    return '';
  }
}
