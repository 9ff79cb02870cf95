import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { readerFor } from '../../cli/format-options.js';
import type { FormatOptions } from '../../cli/format-options.js';
import { buildProgram } from '../../cli/program.js';
import { checkFormats } from '../../cli/verbs/tail.js';
import { packageFile } from '../../runtime/package-root.js';
import { readMappingFile } from '../../cli/mapping-file.js';

/** What `--help` prints of all verbs; see cli-reference.test.ts. */
const HELP = readFileSync(packageFile('docs/reference/cli.md'), 'utf8');

/** Each `$ npx truecount …` of the help, both sides of a pipe. */
const EXAMPLES = [...HELP.matchAll(/^ {2}\$ (.*)$/gm)]
  .flatMap((match) => match[1]!.split(' | '))
  .flatMap((part) => /^npx truecount (.*?)(?: > .*)?$/.exec(part.trim())?.[1] ?? []);

/** The words of a line, as a shell gives them: quotes taken off. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) =>
    word.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'),
  );
}

interface Accepted {
  readonly verb: string;
  readonly args: readonly string[];
  readonly options: FormatOptions;
}

/** What the command line makes of the words, without doing it. @throws what it says of them. */
async function accepted(words: readonly string[]): Promise<Accepted> {
  let found: Accepted | undefined;
  const program = await buildProgram([...words]);
  const stub = (command: Command): void => {
    command.exitOverride().configureOutput({ writeErr: () => undefined });
    if (command.commands.length === 0) {
      command.action(() => {
        const verb = [command.parent!.name(), command.name()].filter((n) => n !== 'truecount');
        found = { verb: verb.join(' '), args: command.args, options: command.opts() };
      });
    }
    command.commands.forEach(stub);
  };
  stub(program);
  await program.parseAsync(words, { from: 'user' });
  if (found === undefined) throw new Error(`no verb took: ${words.join(' ')}`);
  return found;
}

describe('the examples of --help', () => {
  it('are there for the verbs that read files', () => {
    expect(EXAMPLES.length).toBeGreaterThan(30);
    for (const verb of ['tail', 'ingest', 'mapping try', 'link']) {
      expect(EXAMPLES.filter((line) => line.startsWith(`${verb} `)).length).toBeGreaterThan(0);
    }
  });

  it.each(EXAMPLES)('%s: options, arguments and format are accepted', async (line) => {
    const { verb, args, options } = await accepted(wordsOf(line));
    const { format, mapping } = options;
    const path = mapping === undefined ? undefined : join(packageFile(), mapping);
    if (verb === 'tail') {
      checkFormats(args, format, path === undefined ? undefined : readMappingFile(path).mapping);
    } else if (verb === 'ingest' || verb === 'mapping try') {
      for (const file of args) readerFor(file, { ...options, mapping: path });
    }
  });
});

describe('tail', () => {
  it.each([
    ['a glob', '/var/log/nginx/access*.log*'],
    ['a file', '/var/log/nginx/access.log'],
  ])('refuses a mapping that it would not use, for %s', (_, file) => {
    const { mapping } = readMappingFile(packageFile('examples/apache.mapping.yaml'));
    expect(() => {
      checkFormats([file], undefined, mapping);
    }).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    checkFormats([file], 'combined-log', mapping);
  });
});
