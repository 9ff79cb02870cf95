import { Command, CommanderError } from 'commander';
import { TruecountError } from '../core/errors.js';
import { exitCodeOf, reportError } from './report-error.js';
import { VERBS } from './verbs.js';

/**
 * The program: every verb by name and summary, and only the one that is asked for loaded, so that
 * `--help` and quick questions do not pay for Kafka, Postgres or the web server.
 */
export async function buildProgram(args: readonly string[]): Promise<Command> {
  const program = new Command('truecount');
  program
    .description(
      'One click count per minute that starts provisional, becomes final, and can prove itself.',
    )
    .version('0.1.0', '-V, --version', 'print the version')
    .helpCommand('help [verb]', 'show how a verb is used')
    .configureOutput({ outputError: () => undefined }) // `main` says it, as any other error
    .exitOverride()
    .addHelpText('after', '\nExample:\n  $ npx truecount up --detach');
  const asked = verbIn(args);
  for (const verb of VERBS) {
    if (verb.name === asked) (await verb.load()).register(program);
    else program.command(verb.name).summary(verb.summary).allowUnknownOption();
  }
  return program;
}

/** The verb that is asked for: the first word, or the second after `help`. */
function verbIn(args: readonly string[]): string | undefined {
  const words = args.filter((arg) => !arg.startsWith('-'));
  return words[0] === 'help' ? words[1] : words[0];
}

/** Runs the command line and returns the exit code; it never throws. */
export async function main(args: readonly string[]): Promise<number> {
  let program: Command | undefined;
  try {
    program = await buildProgram(args);
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
