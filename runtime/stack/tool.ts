import { spawn } from 'node:child_process';
import { TruecountError } from '../../core/errors.js';
import type { Log } from './component.js';
import type { ComponentName } from './state.js';

/**
 * Runs a tool to its end, with a line of progress every few seconds while it takes long.
 * @throws TruecountError `component_unavailable` with the end of what it printed, if it fails.
 */
export function runTool(
  name: ComponentName,
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; log: Log; doing?: string; hint?: string },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const startMs = performance.now();
    const child = spawn(command, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-4_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const ticker = setInterval(() => {
      const seconds = Math.round((performance.now() - startMs) / 1000);
      options.log(`${name}: ${options.doing ?? command}, ${String(seconds)} s so far`);
    }, 10_000);
    const fail = (why: string, cause?: unknown): void => {
      clearInterval(ticker);
      reject(
        new TruecountError(
          'component_unavailable',
          `${name}: ${command} ${why}\n${output.trim()}`,
          {
            ...(options.hint === undefined ? {} : { hint: options.hint }),
            ...(cause === undefined ? {} : { cause }),
          },
        ),
      );
    };
    child.once('error', (error) => {
      fail(`could not be run: ${error.message}`, error);
    });
    child.once('close', (code, signal) => {
      clearInterval(ticker);
      if (code === 0) resolve(output);
      else fail(`ended with ${signal ?? `exit code ${String(code)}`}`);
    });
  });
}
