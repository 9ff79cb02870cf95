import type { Command } from 'commander';
import { describeConfig } from '../../runtime/describe-config.js';
import { configFor, withCommonOptions, type CommonOptions } from '../options.js';
import { columns, printResult, say, withExamples } from '../output.js';

/** `truecount config`: every setting, its value and where that came from; secrets masked. */
export function register(program: Command): void {
  const command = program
    .command('config')
    .summary('what is in force, and where each value came from')
    .description(
      'Prints every setting with its value in force and its source: a flag, the environment, the ' +
        'settings file, the running embedded stack, or the default. Secrets are masked.',
    )
    .action((options: CommonOptions) => {
      const loaded = configFor(options);
      const { settings, ignored } = describeConfig(loaded, process.env);
      printResult(options.json === true, { file: loaded.file ?? null, settings, ignored }, () =>
        columns([
          ['SETTING', 'VALUE', 'FROM', 'MEANING'],
          ...settings.map((s) => [s.key, shown(s.value), s.from, s.description]),
        ]),
      );
      for (const item of ignored) {
        const meant = item.nearest === null ? '' : `; did you mean ${item.nearest}?`;
        say(`${item.name} is no setting and is ignored${meant}`);
      }
    });
  withExamples(withCommonOptions(command), 'npx truecount config --set stream.workers=1');
}

function shown(value: unknown): string {
  if (value === null) return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
