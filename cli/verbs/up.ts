import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { TruecountError, type ErrorCode } from '../../core/errors.js';
import { readStatus, type Endpoints } from '../../runtime/status.js';
import { Supervisor } from '../../runtime/supervisor.js';
import { configFor, configInputs, withCommonOptions, type CommonOptions } from '../options.js';
import { columns, printResult, say, withExamples } from '../output.js';

interface Options extends CommonOptions {
  readonly detach?: boolean;
}

/** What a detached supervisor tells the command that started it. */
type Report =
  | { readonly type: 'progress'; readonly line: string }
  | { readonly type: 'up' }
  | {
      readonly type: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      readonly hint?: string;
    };

/** `truecount up`: PostgreSQL, Kafka, Temporal and the services, here or in the background. */
export function register(program: Command): void {
  const command = program
    .command('up')
    .summary('start the stack and all services')
    .description(
      'Starts PostgreSQL, Kafka and Temporal (those without an address in the settings), prepares ' +
        'database and topics, and runs the services until Ctrl-C: stream, archive, worker, API and the ' +
        'collector of clicks over HTTP. What dies is started again. ' +
        'With --detach it goes on in the background; `down` stops it.',
    )
    .option('--detach', 'return when everything runs')
    .action((options: Options) =>
      options.detach === true ? detached(options) : foreground(options),
    );
  withExamples(withCommonOptions(command), 'npx truecount up --detach', 'npx truecount down');
}

async function foreground(options: Options): Promise<void> {
  const report = (message: Report): void => {
    if (process.connected) process.send?.(message);
  };
  const stopAsked = new Promise<void>((resolve) => {
    process.once('SIGINT', resolve).once('SIGTERM', resolve);
  });
  try {
    const supervisor = await Supervisor.start(configInputs(options), (line) => {
      say(line);
      report({ type: 'progress', line });
    });
    report({ type: 'up' });
    if (!process.connected) await printEndpoints(options);
    say('Ctrl-C stops it');
    await stopAsked;
    say('stopping');
    await supervisor.stop();
  } catch (error) {
    if (process.connected && error instanceof TruecountError) {
      const { code, message, hint } = error;
      report({ type: 'failed', code, message, ...(hint === undefined ? {} : { hint }) });
    }
    throw error;
  }
}

async function detached(options: Options): Promise<void> {
  const { home } = configFor(options).config;
  mkdirSync(join(home, 'logs'), { recursive: true });
  const output = openSync(join(home, 'logs', 'up.log'), 'a');
  const args = process.argv.slice(1).filter((arg) => arg !== '--detach' && arg !== '--json');
  const child = spawn(process.execPath, args, {
    detached: true,
    stdio: ['ignore', output, output, 'ipc'],
  });
  closeSync(output);
  await new Promise<void>((resolve, reject) => {
    child.on('message', (message: Report) => {
      if (message.type === 'progress') say(message.line);
      else if (message.type === 'up') resolve();
      else {
        const { code, message: text, hint } = message;
        reject(new TruecountError(code, text, hint === undefined ? {} : { hint }));
      }
    });
    child.once('exit', (code) => {
      reject(
        new TruecountError('internal', `the supervisor ended with exit code ${String(code)}`, {
          hint: `see ${join(home, 'logs', 'up.log')}`,
        }),
      );
    });
  });
  child.disconnect();
  child.unref();
  await printEndpoints(options);
}

async function printEndpoints(options: Options): Promise<void> {
  const { endpoints } = await readStatus(configFor(options));
  printResult(options.json === true, endpoints, () => endpointTable(endpoints));
}

/** Endpoints as aligned lines. */
export function endpointTable(endpoints: Endpoints): string {
  return columns(Object.entries(endpoints).map(([name, value]) => [name, String(value ?? '-')]));
}
