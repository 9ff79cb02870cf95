import type { Command } from 'commander';
import { differenceDocument } from '../../api/answers/rules-difference.js';
import { differenceBetween } from '../../core/rules/difference.js';
import { differenceText } from '../difference-text.js';
import { rulesNamed } from '../named-rules.js';
import { withCommonOptions, type CommonOptions } from '../options.js';
import { printResult, styleFor, withExamples } from '../output.js';
import { withReader } from '../with-reader.js';

/** `truecount rules diff`: what is different between two rule sets. */
export function registerDiff(rules: Command): void {
  const diff = rules
    .command('diff')
    .summary('what is different between two rule sets')
    .description(
      'Compares two rule sets dimension by dimension, filter by filter, and tables by their rows. What ' +
        'is written otherwise but means the same is told from what changes a count.',
    )
    .argument('<before>', 'number of a version, hash or file')
    .argument('<after>', 'number of a version, hash or file')
    .action(async (before: string, after: string, options: CommonOptions) => {
      const named = (name: string) => rulesNamed(name, (ask) => withReader(options, ask));
      const [was, is] = [await named(before), await named(after)];
      printResult(options.json === true, differenceDocument(was, is), () =>
        differenceText(differenceBetween(was.ruleSet, is.ruleSet), styleFor(process.stdout)),
      );
    });
  withExamples(
    withCommonOptions(diff),
    'npx truecount rules diff 1 examples/rules.yaml',
    'npx truecount rules diff 1 2 --json',
  );
}
