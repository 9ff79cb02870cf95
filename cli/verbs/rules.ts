import type { Command } from 'commander';
import { answerRules, versionDocument } from '../../api/answers/rules.js';
import { printable } from '../../core/printable.js';
import { formatTime } from '../../core/range.js';
import { versionFor } from '../../core/rules/versions.js';
import { rulesNamed, type NamedRules } from '../named-rules.js';
import { withCommonOptions, type CommonOptions } from '../options.js';
import { columns, printResult, withExamples } from '../output.js';
import { ruleSetText } from '../rule-set-text.js';
import { withReader } from '../with-reader.js';
import { registerDiff } from './rules-diff.js';
import { registerPut } from './rules-put.js';
import { registerStale } from './rules-stale.js';
import { registerTry } from './rules-try.js';

/** `truecount rules`: what a click counts as, which hours since when, and what a change means. */
export function register(program: Command): void {
  const rules = program
    .command('rules')
    .summary('rule sets: what a click counts as, and since when')
    .description(
      'A rule set says what clicks are counted as, and which are not. Each version is in force for the ' +
        'event hours from its beginning on; an hour keeps what it was begun with, until a replay counts ' +
        'it by a newer one. How to write one: docs/reference/rule-sets.md.',
    );
  registerList(rules);
  registerShow(rules);
  registerPut(rules);
  registerDiff(rules);
  registerStale(rules);
  registerTry(rules);
  withExamples(
    rules,
    'npx truecount rules list',
    'npx truecount rules try examples/rules.yaml clicks.ndjson',
  );
}

function registerList(rules: Command): void {
  const list = rules
    .command('list')
    .summary('the versions, by whom and why')
    .action(async (options: CommonOptions) => {
      const answer = await withReader(options, answerRules);
      const current = versionFor(
        answer.versions.map(({ version, rule_set: hash, since }) => ({
          ...{ version, hash },
          sinceMs: since === null ? null : Date.parse(since),
        })),
        Date.now(),
      );
      printResult(options.json === true, answer, () =>
        columns([
          ['VERSION', 'SINCE', 'RULE SET', 'PUT', 'BY', 'WHY'],
          ...answer.versions.map((one) => [
            String(one.version) + (one.version === current?.version ? ', in force' : ''),
            ...[one.since ?? 'ever', one.rule_set, one.put_at],
            ...[printable(one.author), printable(one.reason)],
          ]),
        ]),
      );
    });
  withExamples(withCommonOptions(list), 'npx truecount rules list');
}

function registerShow(rules: Command): void {
  const show = rules
    .command('show')
    .summary('one rule set')
    .argument('<rules>', 'number of a version, hash or file')
    .action(async (name: string, options: CommonOptions) => {
      const found = await rulesNamed(name, (ask) => withReader(options, ask));
      const document = {
        rule_set: found.hash,
        versions: found.versions.map(versionDocument),
        body: found.ruleSet,
      };
      printResult(options.json === true, document, () => shown(found));
    });
  withExamples(
    withCommonOptions(show),
    'npx truecount rules show 1',
    'npx truecount rules show examples/rules.yaml --json',
  );
}

/** As YAML, so that it can be written to a file again but for the rows of its tables. */
function shown({ hash, versions, ruleSet }: NamedRules): string {
  const about = versions.map(({ version, sinceMs, author, reason }) => {
    const since = sinceMs === null ? 'for all hours' : `since ${formatTime(sinceMs)}`;
    return `# version ${String(version)}, ${since}, by ${printable(author)}: ${printable(reason)}`;
  });
  return [`# rule set ${hash}`, ...about, ruleSetText(ruleSet)].join('\n');
}
