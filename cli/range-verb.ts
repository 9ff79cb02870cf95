import type { Command } from 'commander';
import { hostname, userInfo } from 'node:os';
import type pg from 'pg';
import { TruecountError } from '../core/errors.js';
import { ledgerWords } from '../core/ledger-words.js';
import { formatTime, parseHourRange, type TimeRange } from '../core/range.js';
import { paceOf, planOf, type PlannedHour, type RangePlan } from '../core/range-plan.js';
import { SETTINGS } from '../runtime/config-schema.js';
import type { Config } from '../runtime/config.js';
import { withDatabase } from '../runtime/database.js';
import { hourStates } from '../store/generations/hours.js';
import { readError } from '../store/read/connection.js';
import { hourVolumes, lastBuilds } from '../store/read/range-plan.js';
import { storeRuleSet } from '../store/rule-sets.js';
import { listRuleVersions } from '../store/rule-versions.js';
import { rulesNamed } from './named-rules.js';
import { withCommonOptions, type CommonOptions } from './options.js';
import { printResult, say, styleFor } from './output.js';
import type { PlanFacts } from './plan-hours.js';
import { planDocument, planText } from './plan-text.js';
import { shellLine } from './temporal-command.js';
import type { RunOutcome, WantedRun } from './workflow-run.js';

/** Options that all verbs with a workflow over a range have. */
export interface RangeOptions extends CommonOptions {
  readonly from: string;
  readonly to: string;
  readonly plan?: boolean;
  readonly approve?: string;
  readonly wait: boolean;
  readonly cancel?: boolean;
}

/** Adds `--from`, `--to`, `--plan`, `--approve`, `--no-wait`, `--cancel` and the common options. */
export function withRangeOptions(
  command: Command,
  { required = true, plan = 'show what would be done, and do nothing' } = {},
): Command {
  const range = required ? 'requiredOption' : 'option';
  command[range]('--from <time>', 'first hour');
  command[range]('--to <time>', 'end of the range, not in it');
  command
    .option('--plan', plan)
    .option('--approve <hash>', 'do it only if the plan still has this hash')
    .option('--wait', 'wait for the result and show the progress', true)
    .option('--no-wait', 'start it and return at once')
    .option('--cancel', 'cancel what runs of this range');
  return withCommonOptions(command);
}

/** Reads what plans are made from. */
export async function readFacts(pool: pg.Pool, range: TimeRange): Promise<PlanFacts> {
  try {
    return {
      range,
      standings: await hourStates(pool, range),
      volumes: await hourVolumes(pool, range),
      versions: await listRuleVersions(pool),
    };
  } catch (error) {
    throw readError(error);
  }
}

/** Recomputes whose pace a plan goes by. */
const BUILDS = 50;

/** The plan of a verb over a range. */
export async function makePlan(
  pool: pg.Pool,
  verb: string,
  range: TimeRange,
  hours: readonly PlannedHour[],
): Promise<RangePlan> {
  const [from, to] = [formatTime(range.fromMs), formatTime(range.toMs)];
  const pace = paceOf(await lastBuilds(pool, BUILDS));
  return planOf({ verb, from, to }, hours, pace);
}

/** Prints the plan that is asked for with `--plan`. */
export function showPlan(plan: RangePlan, options: RangeOptions): void {
  printResult(options.json === true, planDocument(plan), () =>
    planText(plan, styleFor(process.stdout)),
  );
}

/**
 * Refuses what nobody approved, and a plan that does nothing.
 * @throws TruecountError `approval_stale`, `conflict`
 */
export function assertPlan(plan: RangePlan, approved: string | undefined): void {
  if (approved !== undefined && approved !== plan.hash) {
    throw new TruecountError('approval_stale', `the plan is ${plan.hash} now, not ${approved}`, {
      hint: 'look at it again with --plan, and approve that',
      context: { plan_hash: plan.hash, approved },
    });
  }
  if (plan.hours.some(({ steps }) => steps.length > 0)) return;
  const [first] = plan.hours;
  throw new TruecountError(
    'conflict',
    `there is nothing to ${plan.verb === 'rollback' ? 'roll back' : plan.verb}: ${first?.hour ?? ''}: ${first?.note ?? ''}` +
      (plan.hours.length > 1 ? `, and ${String(plan.hours.length - 1)} more` : ''),
    { hint: '--plan says why for each hour' },
  );
}

export function rangeOf(options: RangeOptions): TimeRange {
  return parseHourRange(options.from, options.to);
}

/** Who does it, for the ledger: `user@host`. */
export function actorName(): string {
  return `${userInfo().username}@${hostname()}`;
}

/**
 * Who and why, as the ledger takes them.
 * @throws TruecountError `invalid_argument`
 */
export function signature(reason: string): { readonly actor: string; readonly reason: string } {
  return {
    reason: ledgerWords('reason', reason),
    actor: ledgerWords('actor', actorName()),
  };
}

/** A rule set that is asked for: stored already, or in a file. */
export interface AskedRules {
  readonly hash: string;
  /** Stores it, if it came from a file. */
  readonly store: (config: Config) => Promise<void>;
}

/**
 * Reads `--rules`: the number of a version, the hash of a stored rule set, or a file with one.
 * @throws TruecountError as `rulesNamed`
 */
export async function askedRules(
  pool: pg.Pool,
  asked: string | undefined,
): Promise<AskedRules | undefined> {
  if (asked === undefined) return undefined;
  const { hash, ruleSet, file } = await rulesNamed(asked, (use) => use(pool));
  if (file === null) return { hash, store: () => Promise.resolve() };
  return {
    hash,
    store: async (config) => {
      await withDatabase(config, (client) => storeRuleSet(client, ruleSet));
      say(
        `rule set ${hash} is stored; new hours are counted by it only after: truecount rules put`,
      );
    },
  };
}

/** The command line that asks for the same again, for people. */
export function againCommand(verb: string, options: RangeOptions, more: readonly string[] = []) {
  const given = ['--from', options.from, '--to', options.to, ...more];
  const config = options.config === undefined ? [] : ['--config', options.config];
  const set = (options.set ?? []).filter(isPublic).flatMap((pair) => ['--set', pair]);
  return shellLine(['npx', 'truecount', verb, ...given, ...config, ...set]);
}

/** Passwords are never printed; they are better kept in the environment. */
function isPublic(pair: string): boolean {
  return SETTINGS.find(({ key }) => key === pair.slice(0, pair.indexOf('=')))?.secret !== true;
}

/** What came of workflows, as one JSON document. */
export function outcomeDocument(outcome: RunOutcome): object {
  return {
    workflow_id: outcome.workflowId,
    run_id: outcome.runId,
    started: outcome.started,
    temporal_ui: outcome.temporalUi,
    command: outcome.command,
    result: outcome.result,
  };
}

/** Cancels what runs of the given ids, and says which did. */
export async function cancelAll(
  config: Config,
  options: RangeOptions,
  ids: readonly string[],
): Promise<void> {
  const { cancelRuns } = await import('./workflow-run.js');
  const cancelled = await cancelRuns(config, ids);
  printResult(options.json === true, { cancelled }, () =>
    cancelled.map((id) => `asked ${id} to end`).join('\n'),
  );
}

/**
 * Starts the workflows of a plan, or does what else the options ask for; null: there is nothing to
 * print any more.
 */
export async function runPlan(
  config: Config,
  options: RangeOptions,
  { plan, wanted, again }: { plan: RangePlan; wanted: readonly WantedRun[]; again: string[] },
): Promise<RunOutcome[] | null> {
  if (options.plan === true) {
    showPlan(plan, options);
    return null;
  }
  if (options.cancel === true) {
    const ids = wanted.map((one) => one.options.workflowId);
    await cancelAll(config, options, ids);
    return null;
  }
  assertPlan(plan, options.approve);
  const { runWorkflows } = await import('./workflow-run.js');
  return runWorkflows(config, wanted, {
    wait: options.wait,
    again: againCommand(plan.verb, options, again),
  });
}
