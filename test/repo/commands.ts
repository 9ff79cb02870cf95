import type { Command } from 'commander';
import { buildProgram } from '../../cli/program.js';
import { VERBS } from '../../cli/verbs.js';

/** What is wrong with a `truecount …` line as somebody would paste it; undefined if nothing is. */
export async function problemWith(line: string): Promise<string | undefined> {
  const words = line.split(/\s+/).slice(1); // without `truecount`
  const verb = words[0] ?? '';
  if (verb.startsWith('-') || verb === 'help') return undefined;
  if (!VERBS.some(({ name }) => name === verb)) return `there is no verb ${verb}`;
  const command = innermost(await buildProgram([verb]), words);
  const options = command.options.flatMap(({ long, short }) => [long, short]);
  const unknown = words
    .filter((word) => /^--?[a-z]/.test(word) && word !== '--help')
    .find((word) => !options.includes(word));
  if (unknown !== undefined) return `${verb} has no option ${unknown}`;
  const missing = command.options.find(
    ({ long, mandatory }) => mandatory && !words.includes(long!),
  );
  return missing === undefined ? undefined : `${verb} needs ${missing.long!}`;
}

function innermost(command: Command, words: readonly string[]): Command {
  const [word, ...rest] = words;
  const inner = command.commands.find((candidate) => candidate.name() === word);
  return inner === undefined ? command : innermost(inner, rest);
}
