import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { childrenOf } from './proc.js';

const CODES = { SIGINT: 130, SIGTERM: 143 } as const;
const ORDERLY_MS = 15_000;
const PAUSE_MS = 50;

const folders = new Set<string>();

/** A temporary folder, which is removed when the process ends, whoever ends it (but SIGKILL). */
export function scratchFolder(name = 'truecount-bench-'): string {
  const folder = mkdtempSync(join(tmpdir(), name));
  folders.add(folder);
  return folder;
}

/**
 * From now on SIGINT and SIGTERM end the processes that this one has started, then itself: servers
 * are in sessions of their own, and would go on.
 */
export function endChildrenBySignal(): void {
  process.once('exit', () => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });
  // The package of PostgreSQL has a listener that ends with code 0, whatever `process.exitCode` is.
  process.removeAllListeners('beforeExit');
  let isEnding = false;
  for (const [signal, code] of Object.entries(CODES)) {
    // The package of PostgreSQL has listeners that leave at once.
    process.removeAllListeners(signal);
    process.on(signal, () => {
      if (isEnding) return;
      isEnding = true;
      // What is under way fails now, in whatever way: nobody wants to know.
      for (const failure of ['uncaughtException', 'unhandledRejection']) {
        process.on(failure, () => undefined);
      }
      void endChildren().then(() => process.exit(code));
    });
  }
}

async function endChildren(): Promise<void> {
  const endMs = performance.now() + ORDERLY_MS;
  // PostgreSQL does not wait for its sessions at SIGINT; to the others it is as good as SIGTERM.
  const asked = new Set<number>();
  for (;;) {
    const pids = childrenOf(process.pid);
    if (pids.length === 0) return;
    const isLate = performance.now() > endMs;
    for (const pid of pids) {
      if (isLate) kill(pid, 'SIGKILL');
      else if (!asked.has(pid)) kill(pid, 'SIGINT');
      asked.add(pid);
    }
    await delay(PAUSE_MS);
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
