import type { Command } from 'commander';
import { differenceBetween, type RuleSetDifference } from '../../core/rules/difference.js';
import type { TableChange } from '../../core/rules/table-changes.js';
import { differenceText } from '../difference-text.js';
import { rulesNamed, type NamedRules } from '../named-rules.js';
import { withCommonOptions, type CommonOptions } from '../options.js';
import { printResult, styleFor, withExamples } from '../output.js';
import { withReader } from '../with-reader.js';

/** `truecount rules diff`: what is different between two rule sets. */
export function registerDiff(rules: Command): void {
  const diff = rules
    .command('diff')
    .summary('what is different between two rule sets')
    .description(
      'Compares two rule sets dimension by dimension, filter by filter, and tables by their rows. What\n' +
        'is written otherwise but means the same is told from what changes a count.',
    )
    .argument('<before>', 'number of a version, hash or file')
    .argument('<after>', 'number of a version, hash or file')
    .action(async (before: string, after: string, options: CommonOptions) => {
      const named = (name: string) => rulesNamed(name, (ask) => withReader(options, ask));
      const [was, is] = [await named(before), await named(after)];
      const difference = differenceBetween(was.ruleSet, is.ruleSet);
      printResult(options.json === true, documentOf(was, is, difference), () =>
        differenceText(difference, styleFor(process.stdout)),
      );
    });
  withExamples(
    withCommonOptions(diff),
    'npx truecount rules diff 1 examples/rules.yaml',
    'npx truecount rules diff 1 2 --json',
  );
}

function documentOf(before: NamedRules, after: NamedRules, difference: RuleSetDifference): object {
  const { equal, sameMeaning, filtersMoved, dimensions, filters, values, tables } = difference;
  return {
    ...{ before: before.hash, after: after.hash },
    ...{ equal, same_meaning: sameMeaning },
    ...{ dimensions, filters, filters_moved: filtersMoved, values },
    tables: tables.map(tableDocument),
  };
}

function tableDocument({ name, change, shape, rows }: TableChange): object {
  const { before, after, ...changes } = rows;
  const shapes = shape === undefined ? {} : { shape };
  return { name, change, ...shapes, rows_before: before, rows_after: after, ...changes };
}
