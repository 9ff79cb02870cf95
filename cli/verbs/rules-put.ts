import type { Command } from 'commander';
import type { Static } from 'typebox';
import {
  answerRehearsal,
  putDocument,
  type PutRulesDocument,
} from '../../api/answers/rules-put.js';
import type { StaleRulesDocument } from '../../api/answers/stale-rules.js';
import { parseWhole } from '../../core/question.js';
import { parseHour } from '../../core/range.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { withDatabase } from '../../runtime/database.js';
import { readRuleFile } from '../../runtime/rules/rule-file.js';
import { readError } from '../../store/read/connection.js';
import { putRuleSet, type RulesToPut } from '../../store/rule-versions.js';
import { configFor, withCommonOptions, type CommonOptions } from '../options.js';
import { printResult, withExamples } from '../output.js';
import { signature } from '../range-verb.js';
import { newerText, replayCommand, sizeText, withCommands, type NameOf } from '../stale-text.js';
import { withReader } from '../with-reader.js';

interface PutOptions extends CommonOptions {
  readonly since?: string;
  readonly reason: string;
  readonly expect?: string;
  readonly dryRun?: boolean;
}

type Stale = Static<typeof StaleRulesDocument>;

/** `truecount rules put`: a new version. */
export function registerPut(rules: Command): void {
  const put = rules
    .command('put')
    .summary('put a rule set in force, as the next version')
    .description(
      'Checks a rule set, stores it under the hash of its content, and puts it in force for the event ' +
        'hours from --since on, with an entry in the ledger. Hours that were begun keep their rule set: ' +
        'a replay counts them by the new one. Put again, the newest changes nothing.',
    )
    .argument('<file>', 'YAML or JSON; its tables may be CSV files beside it')
    .requiredOption('--reason <text>', 'why, for the ledger')
    .option(
      '--since <hour>',
      'first event hour (default: the first that nobody has begun to count)',
    )
    .option(
      '--expect <version>',
      'refuse if another version is the newest by now (0: there is none)',
    )
    .option('--dry-run', 'check it, say which hours would be stale, and change nothing')
    .action(run);
  withExamples(
    withCommonOptions(put),
    "npx truecount rules put examples/rules.yaml --reason 'bots are not counted' --dry-run",
    "npx truecount rules put examples/rules.yaml --since 2026-11-18T00 --reason 'UK counts as GB'",
  );
}

async function run(file: string, options: PutOptions): Promise<void> {
  const { actor: author, reason } = signature(options.reason);
  const sinceMs = options.since === undefined ? undefined : parseHour('--since', options.since);
  const expect =
    options.expect === undefined
      ? undefined
      : parseWhole('--expect', options.expect, 0, Number.MAX_SAFE_INTEGER);
  const asked = {
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(expect === undefined ? {} : { expect }),
  };
  const ruleSet = readRuleFile(file);
  if (options.dryRun === true) return rehearse(file, ruleSet, asked, options);
  const { config } = configFor(options);
  const made = await withDatabase(config, (client) =>
    putRuleSet(client, { ruleSet, author, reason, ...asked }),
  ).catch((error: unknown) => {
    throw readError(error);
  });
  const put = await withReader(options, (pool) => putDocument(pool, made, Infinity));
  const { existed, stale } = put;
  const document = { ...put, stale: withCommands(stale) };
  printResult(options.json === true, document, () =>
    [
      `version ${String(put.version)}${existed ? ', which was in force already' : ''}: ${put.rule_set}`,
      `in force ${inForce(put.since)}`,
      ...put.superseded.map((one) => supersededText(one, 'it no longer is')),
      ...staleLines(stale),
    ].join('\n'),
  );
}

/** Says what would be. */
async function rehearse(
  file: string,
  ruleSet: RuleSet,
  asked: Pick<RulesToPut, 'sinceMs' | 'expect'>,
  options: PutOptions,
): Promise<void> {
  const would = await withReader(options, (pool) =>
    answerRehearsal(pool, ruleSet, asked, Infinity),
  );
  const { rule_set: hash, since, existed, stale } = would;
  const nameOf: NameOf = ({ in_force: one, in_force_version: version }) =>
    one === hash ? file : String(version);
  const document = { ...would, stale: withCommands(stale, nameOf) };
  printResult(options.json === true, document, () =>
    [
      `rule set ${hash}`,
      `${existed ? 'is in force already' : 'would be in force'} ${inForce(since)}`,
      ...would.superseded.map((one) => supersededText(one, 'it no longer would be')),
      ...staleLines(stale, nameOf),
    ].join('\n'),
  );
}

type Superseded = Static<typeof PutRulesDocument>['superseded'][number];

function supersededText({ version, from, to }: Superseded, what: string): string {
  const hours = to === null ? `from ${from} on` : `from ${from} to ${to}`;
  return `v${String(version)} was in force, or to be, ${hours}: ${what}`;
}

function inForce(since: string | null): string {
  return since === null ? 'for all hours' : `from ${since} on`;
}

/** Ranges whose commands are shown; `truecount rules stale` shows more. */
const COMMANDS_MAX = 3;

function staleLines(stale: Stale, nameOf?: NameOf): string[] {
  const newer = stale.newer.count === 0 ? [] : [newerText(stale.newer.count)];
  if (stale.stale === 0) return ['no final hour is stale', ...newer];
  const commands = stale.ranges.slice(0, COMMANDS_MAX).map((one) => replayCommand(one, nameOf));
  const more = stale.ranges.length - commands.length;
  const rest = more > 0 ? [`  and ${String(more)} more ranges: truecount rules stale`] : [];
  return [sizeText(stale), ...commands.map((line) => `  ${line}`), ...rest, ...newer];
}
