import type { Command } from 'commander';
import { newProgram, runProgram } from './run-program.js';
import { VERBS } from './verbs.js';

/**
 * The program: every verb by name and summary, and only the one that is asked for loaded, so that
 * `--help` and quick questions do not pay for Kafka, Postgres or the web server.
 */
export async function buildProgram(args: readonly string[]): Promise<Command> {
  const program = newProgram(
    'One click count per minute that starts provisional, becomes final, and can prove itself.',
  )
    .helpCommand('help [verb]', 'show how a verb is used')
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
export function main(args: readonly string[]): Promise<number> {
  return runProgram(args, buildProgram);
}
