import { join } from 'node:path';
import type { Command } from 'commander';
import { expect, it } from 'vitest';
import { buildProgram } from '../../cli/program.js';
import { VERBS } from '../../cli/verbs.js';

const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'reference', 'cli.md');

const HEAD = `# Command line

What \`truecount --help\` and \`truecount VERB --help\` print. From a checkout: \`npx truecount VERB\`.

Results go to stdout, words and progress to stderr. With \`--json\` stdout holds one JSON document, or
NDJSON where a verb streams. Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 not found, 4 conflict or
refused, 5 a dependency is unreachable; [errors](errors.md) lists the codes behind them.
`;

// After a change of the command line: npx vitest run test/repo/cli-reference -u
it('docs/reference/cli.md is what --help prints', async () => {
  const sections = [section('truecount', await buildProgram([]))];
  for (const { name } of VERBS) {
    for (const command of withSubcommands(verbOf(await buildProgram([name]), name))) {
      sections.push(section(`truecount ${path(command)}`, command));
    }
  }
  await expect([HEAD, ...sections].join('\n')).toMatchFileSnapshot(PAGE);
});

function verbOf(program: Command, name: string): Command {
  const verb = program.commands.find((command) => command.name() === name);
  if (verb === undefined) throw new Error(`verb ${name} did not register itself`);
  return verb;
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

function path(command: Command): string {
  const { parent } = command;
  if (parent === null || parent.parent === null) return command.name();
  return `${path(parent)} ${command.name()}`;
}

function section(title: string, command: Command): string {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => 100 });
  command.outputHelp();
  return `## \`${title}\`\n\n\`\`\`text\n${help.trimEnd()}\n\`\`\`\n`;
}
