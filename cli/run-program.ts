import { Command, CommanderError } from 'commander';
import { TruecountError } from '../core/errors.js';
import { exitCodeOf, reportError } from './report-error.js';

/** A program without verbs, for `runProgram`. */
export function newProgram(description: string): Command {
  return new Command('truecount')
    .description(description)
    .version('0.1.0', '-V, --version', 'print the version')
    .configureOutput({ outputError: () => undefined }) // `runProgram` says it, as any other error
    .exitOverride();
}

/** For a process: a reader that went away (`truecount hours | head`) is no failure. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

/** Runs a program and returns its exit code; it never throws. */
export async function runProgram(
  args: readonly string[],
  build: (args: readonly string[]) => Promise<Command>,
): Promise<number> {
  let program: Command | undefined;
  try {
    program = await build(args);
    if (args.length === 0) {
      program.outputHelp({ error: true });
      return 2;
    }
    await program.parseAsync(args, { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0; // help and version
    const known =
      error instanceof CommanderError ? wrongUsage(error, helpFor(program, args)) : error;
    reportError(known, args.includes('--json'));
    return exitCodeOf(known);
  }
}

/** What Commander refuses, as one of our errors. */
function wrongUsage(error: CommanderError, help: string): TruecountError {
  // A verb without the subcommand it needs: its help is on stderr already.
  const message =
    error.code === 'commander.help'
      ? 'a subcommand is missing'
      : error.message.replace(/^error: /, '');
  return new TruecountError('invalid_argument', message, { hint: `see: ${help}` });
}

/** How to ask for the help of the verb, or its subcommand, that was meant. */
function helpFor(program: Command | undefined, args: readonly string[]): string {
  const names: string[] = [];
  let command = program;
  for (const word of args.filter((arg) => !arg.startsWith('-'))) {
    const inner = command?.commands.find((one) => one.name() === word);
    if (inner === undefined) break;
    names.push(word);
    command = inner;
  }
  return names.length === 0 ? 'truecount help' : `truecount ${names.join(' ')} --help`;
}
