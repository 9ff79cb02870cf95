import { spawn } from 'node:child_process';
import { readdirSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { packageFile } from '../package-root.js';

/** Whether Temporal's SDK, which knows where the CLI is to be had, is installed (it is optional). */
export function hasTemporalSdk(): boolean {
  try {
    createRequire(import.meta.url).resolve('@temporalio/testing');
    return true;
  } catch {
    return false;
  }
}

export interface DownloadOptions {
  /** Given up if nothing has begun to arrive by then: such as behind a firewall that is silent. */
  readonly beginMs?: number;
  /** Given up if it is not whole by then. */
  readonly wholeMs?: number;
  /** What downloads, given the folder and the version (default: Temporal's SDK). */
  readonly script?: string;
}

const POLL_MS = 200;

/**
 * Lets Temporal's SDK download the CLI of that version into the empty folder, as the file
 * `temporal`. In a process of its own, since the SDK gives no way to end a download.
 * @throws Error saying why there is no file, in one line.
 */
export async function downloadTemporal(
  dir: string,
  version: string,
  options: DownloadOptions = {},
): Promise<void> {
  const { beginMs = 20_000, wholeMs = 5 * 60_000 } = options;
  const script =
    options.script ?? packageFile('runtime', 'stack', 'assets', 'temporal', 'download.mjs');
  const child = spawn(process.execPath, [script, dir, `v${version}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4_000)));
  let givenUp: string | undefined;
  const startMs = performance.now();
  const timer = setInterval(() => {
    const limitMs = readdirSync(dir).length > 0 ? wholeMs : beginMs;
    if (performance.now() - startMs < limitMs) return;
    givenUp = `not there after ${String(limitMs / 1000)} s`;
    child.kill('SIGKILL');
  }, POLL_MS);
  await new Promise<void>((resolve) => {
    child.once('error', (error) => {
      said = error.message;
      resolve();
    });
    child.once('close', () => {
      resolve();
    });
  });
  clearInterval(timer);
  // It has this name once it is whole; so it serves even if no server came up on it just now.
  const file = `temporal-v${version}`;
  if (!readdirSync(dir).includes(file)) {
    throw new Error(givenUp ?? (lastLine(said) || 'it left no file'));
  }
  renameSync(join(dir, file), join(dir, 'temporal'));
}

/** Without the parts that it repeats: Rust's errors tell their causes twice. */
function lastLine(text: string): string {
  const parts = (text.trim().split('\n').at(-1) ?? '').split(': ');
  return [...new Set(parts)].join(': ');
}
