import { spawn } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { TruecountError } from '../../core/errors.js';
import { end, isRunning, processRef, type ProcessRef } from './process.js';
import type { ComponentName } from './state.js';

/** A line of progress for people. */
export type Log = (line: string) => void;

export interface StartOptions {
  /** Everything of the component is in here: data, log, ports. Created if absent. */
  readonly dir: string;
  readonly log?: Log;
}

/** A component that runs. Starting it again on the same folder gives the same ports and data. */
export interface Running {
  readonly name: ComponentName;
  /** What a client connects to: a Postgres URL, broker list, or host:port. */
  readonly address: string;
  readonly ui?: string;
  readonly pid: number;
  readonly process: ProcessRef;
  /** Whether it ran already and was only found. */
  readonly attached: boolean;
  /** Ends it in its own orderly way, by force after a deadline. */
  stop(): Promise<void>;
}

/** What is kept in `run.json` of the component's folder. */
export interface RunRecord {
  readonly process: ProcessRef | null;
  readonly ports: readonly number[];
}

export function readRecord(dir: string): RunRecord {
  try {
    return JSON.parse(readFileSync(join(dir, 'run.json'), 'utf8')) as RunRecord;
  } catch {
    return { process: null, ports: [] };
  }
}

export function writeRecord(dir: string, record: RunRecord): void {
  writeFileSync(join(dir, 'run.json'), JSON.stringify(record));
}

/** The process that the record names, if it still runs. */
export function runningProcess(record: RunRecord): ProcessRef | undefined {
  return record.process !== null && isRunning(record.process) ? record.process : undefined;
}

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
}

/** Where a component writes what it has to say. */
export function logFile(dir: string, name: string): string {
  return join(dir, `${name}.log`);
}

/**
 * Starts a process of its own session (a Ctrl-C at the terminal does not reach it; who started it
 * stops it), its output appended to the log file, and records it.
 * @throws TruecountError `component_unavailable` if it can't be started at all.
 */
export function launch(
  name: ComponentName,
  dir: string,
  what: Launch,
  ports: readonly number[],
): Promise<ProcessRef> {
  mkdirSync(dir, { recursive: true });
  const file = logFile(dir, name);
  rotate(file);
  const output = openSync(file, 'a');
  return new Promise((resolve, reject) => {
    const child = spawn(what.command, what.args, {
      cwd: '/',
      detached: true,
      stdio: ['ignore', output, output],
      env: what.env ?? process.env,
      ...(what.uid === undefined ? {} : { uid: what.uid }),
      ...(what.gid === undefined ? {} : { gid: what.gid }),
    });
    closeSync(output);
    child.once('error', (cause) => {
      reject(
        new TruecountError(
          'component_unavailable',
          `${name} could not be started: ${cause.message}`,
          {
            hint: `truecount doctor says where ${name} comes from`,
            cause,
          },
        ),
      );
    });
    child.once('spawn', () => {
      child.unref();
      const pid = child.pid ?? 0;
      const ref = processRef(pid) ?? { pid, started: 'gone' };
      writeRecord(dir, { process: ref, ports });
      resolve(ref);
    });
  });
}

const LOG_BYTES_MAX = 16 * 1024 * 1024;

/** A log that has grown large is begun anew at the next start. */
function rotate(file: string): void {
  try {
    if (statSync(file).size > LOG_BYTES_MAX) rmSync(file);
  } catch {
    // There is none yet.
  }
}

/**
 * Polls until the component answers.
 * @throws TruecountError `component_unavailable` with the end of the log, when it dies or is not
 * ready in time; the process is ended in that case.
 */
export async function untilReady(
  name: ComponentName,
  dir: string,
  ref: ProcessRef,
  ready: () => Promise<boolean>,
  deadlineMs: number,
): Promise<void> {
  if (await answers(name, dir, ref, ready, deadlineMs)) return;
  throw notReady(name, dir, 'ended while it was starting');
}

/**
 * Polls until a process that runs answers; false if it ends instead (it was being killed).
 * @throws TruecountError `component_unavailable` if it does neither in time; it is ended then.
 */
export async function answers(
  name: ComponentName,
  dir: string,
  ref: ProcessRef,
  ready: () => Promise<boolean>,
  deadlineMs = 30_000,
): Promise<boolean> {
  const endMs = performance.now() + deadlineMs;
  while (isRunning(ref)) {
    if (await ready()) return true;
    if (performance.now() > endMs) {
      await end(ref, { deadlineMs: 5_000 });
      throw notReady(name, dir, `was not ready after ${String(deadlineMs / 1000)} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

function notReady(name: string, dir: string, what: string): TruecountError {
  const file = logFile(dir, name);
  return new TruecountError('component_unavailable', `${name} ${what}\n${tail(file, 12)}`, {
    hint: `its whole log is ${file}`,
    context: { component: name, log: file },
  });
}

/** The last lines of a log. */
export function tail(file: string, lines: number): string {
  try {
    const all = readFileSync(file, 'utf8').trimEnd().split('\n');
    return all
      .slice(-lines)
      .map((line) => `  ${line}`)
      .join('\n');
  } catch {
    return '  (no log)';
  }
}
