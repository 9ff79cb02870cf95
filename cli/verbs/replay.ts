import type { Command } from 'commander';
import { TruecountError } from '../../core/errors.js';
import { parseWhole } from '../../core/question.js';
import { formatTime } from '../../core/range.js';
import type { RangePlan } from '../../core/range-plan.js';
import { REPLAY_PARALLEL_MAX } from '../../core/replay.js';
import type { Config } from '../../runtime/config.js';
import {
  PAUSE_SIGNAL,
  RESUME_SIGNAL,
  type ReplayRangeInput,
  type HeldHour,
  type ReplayRangeResult,
} from '../../workflows/contract.js';
import { unchangedOf } from '../../workflows/replay-result.js';
import { replayRangeStart } from '../../workflows/start-options.js';
import { configFor } from '../options.js';
import { STDOUT } from '../output-file.js';
import { print, printJson, printResult, say, styleFor, withExamples } from '../output.js';
import { replayHours } from '../plan-hours.js';
import { planDocument, planText } from '../plan-text.js';
import {
  actorName,
  againCommand,
  askedRules,
  assertPlan,
  cancelAll,
  makePlan,
  outcomeDocument,
  rangeOf,
  readFacts,
  showPlan,
  signature,
  withRangeOptions,
  type RangeOptions,
} from '../range-verb.js';
import { approveCommand, signalCommand } from '../temporal-command.js';
import { withReader } from '../with-reader.js';
import type { RunOutcome } from '../workflow-run.js';

interface ReplayOptions extends RangeOptions {
  readonly rules?: string;
  readonly reason?: string;
  readonly review?: boolean;
  readonly whatIf: boolean;
  readonly cells?: string;
  readonly parallel?: string;
  readonly pause?: string;
  readonly resume?: string;
}

/** `truecount replay`: cut, recompute, reconcile and publish a whole range. */
export function register(program: Command): void {
  const replay = withRangeOptions(
    program
      .command('replay')
      .summary('recompute a range and publish what changed, all at once')
      .description(
        'Takes every hour of a range the whole way: cuts it if it is not cut, recomputes it from the ' +
          'lake, compares, and publishes all hours in one step. Hours that come out the same are ' +
          'confirmed. An hour that serves a generation with the same inputs (rule set and cut) stays ' +
          'unchanged: the lake is not read for it; `recompute` does read it. Ctrl-C leaves a replay ' +
          'running; the same command follows it again. --plan publishes nothing; together with --rules ' +
          'it stores the rule set if it is a file, and counts the hours by it into generations that ' +
          'nothing serves, to show what would change (--no-what-if: it does not): sums, and those filters ' +
          'and ads that change most. --cells has every cell: NDJSON {ad_id, minute, filter_id, before, ' +
          'after, by_rules, by_late}, without filter_id the total; before + by_rules + by_late = after.',
      ),
    { required: false, plan: 'show what would be done, and publish nothing' },
  )
    .option('--rules <version|hash|file>', 'count by this rule set (default: each hour by its own)')
    .option('--reason <text>', 'why, for the ledger')
    .option('--review', 'compute, then wait for --approve before anything is published')
    .option(
      '--no-what-if',
      'with --plan and --rules: do not count what they would change, which needs Temporal',
    )
    .option(
      '--cells <file>',
      'with --plan and --rules: write every cell that would change here, as NDJSON; - is stdout, and ' +
        'the plan goes to stderr',
    )
    .option('--parallel <number>', 'hours in work at the same time')
    .option('--pause <workflow-id>', 'stop a running replay before its next step')
    .option('--resume <workflow-id>', 'let a paused one go on')
    .action(run);
  withExamples(
    replay,
    'npx truecount replay --from 2025-11-21T08 --to 2025-11-21T10 --plan',
    'npx truecount replay --from 2025-11-21T08 --to 2025-11-21T10 --rules 2 --plan --cells cells.ndjson',
    "npx truecount replay --from 2025-11-21T08 --to 2025-11-21T10 --reason 'UK counts as GB'",
  );
}

async function run(options: ReplayOptions): Promise<void> {
  const { config } = configFor(options);
  if (options.pause !== undefined) return signal(config, options, options.pause, PAUSE_SIGNAL);
  if (options.resume !== undefined) return signal(config, options, options.resume, RESUME_SIGNAL);
  assertRange(options);
  assertCells(options);
  const range = rangeOf(options);
  const ids = { from: formatTime(range.fromMs), to: formatTime(range.toMs) };
  const { workflowId } = replayRangeStart(ids);
  if (options.cancel === true) return cancelAll(config, options, [workflowId]);
  const { plan, input, store } = await planned(options);
  if (options.plan === true) {
    if (input.rules === undefined || !options.whatIf) return showPlan(plan, options);
    await store(config);
    return showChange(config, options, plan, input.rules);
  }
  const runs = await import('../workflow-run.js');
  const approval = { hash: options.approve ?? '', actor: actorName() };
  const approved =
    options.approve !== undefined && (await runs.approveRun(config, workflowId, approval));
  if (approved) say(`approved ${approval.hash}`);
  else assertPlan(plan, options.approve);
  if (!approved) await store(config);
  const wanted = { options: replayRangeStart(input), input, attach: approved };
  const [outcome] = await runs.runWorkflows(config, [wanted], {
    wait: options.wait,
    again: againCommand('replay', options, againOptions(options)),
    onApproval: (hash, words) => {
      say(words);
      say(`it waits for approval of plan ${hash}; look at it, then:`);
      say(`  ${againCommand('replay', options, ['--approve', hash])}`);
      const place = runs.temporalPlace(config);
      say(`  ${approveCommand(place, workflowId, { hash, actor: actorName() })}`);
    },
  });
  printResult(options.json === true, outcomeDocument(outcome!), () => text(outcome!));
}

/** The plan, and what the rule set would change: computed, which takes as long as the replay. */
async function showChange(
  config: Config,
  options: ReplayOptions,
  plan: RangePlan,
  rules: string,
): Promise<void> {
  const { cells, json } = options;
  const asked = againOptions({ ...options, review: false });
  const { plannedChange } = await import('../what-if.js');
  const { changeText, changeDocument } = await import('../what-if-text.js');
  // Where the cells are on stdout, all else is on stderr.
  const tell = cells === STDOUT ? say : print;
  if (json !== true)
    tell(planText(plan, styleFor(cells === STDOUT ? process.stderr : process.stdout)));
  const again = againCommand('recompute', options, asked);
  const change = await plannedChange(config, options, plan, rules, { again, cells });
  if (change === null) return;
  const wanted = [...asked, '--plan', '--cells', cells ?? 'cells.ndjson'];
  const command = againCommand('replay', options, wanted);
  if (json !== true) return tell(`\n${changeText(change, command)}`);
  const document = { ...planDocument(plan), what_if: changeDocument(change, command) };
  if (cells === STDOUT) say(JSON.stringify(document));
  else printJson(document);
}

/** @throws TruecountError `invalid_argument` where there are no cells to write */
function assertCells({ cells, plan, rules, whatIf }: ReplayOptions): void {
  if (cells === undefined || (plan === true && rules !== undefined && whatIf)) return;
  throw new TruecountError(
    'invalid_argument',
    '--cells is for what other rules would change: it needs --plan and --rules, and no --no-what-if',
    { hint: 'for example --rules 2 --plan --cells cells.ndjson' },
  );
}

function assertRange({ from, to }: Partial<ReplayOptions>): void {
  if (from !== undefined && to !== undefined) return;
  throw new TruecountError('invalid_argument', 'a replay needs --from and --to', {
    hint: 'for example --from 2025-11-21T08 --to 2025-11-21T10',
  });
}

async function planned(options: ReplayOptions): Promise<{
  readonly plan: RangePlan;
  readonly input: ReplayRangeInput;
  readonly store: (config: Config) => Promise<void>;
}> {
  const range = rangeOf(options);
  if (range.toMs > Date.now()) {
    throw new TruecountError('conflict', `${formatTime(range.toMs)} has not come yet`, {
      hint: 'end the range with an hour that is over',
    });
  }
  const signed = signature(options.reason ?? 'replay');
  return withReader(options, async (pool) => {
    const rules = await askedRules(pool, options.rules);
    const hours = replayHours(await readFacts(pool, range), rules?.hash);
    const plan = await makePlan(pool, 'replay', range, hours);
    const parallel =
      options.parallel === undefined
        ? undefined
        : parseWhole('--parallel', options.parallel, 1, REPLAY_PARALLEL_MAX);
    const input = {
      ...{ from: plan.from, to: plan.to },
      ...(rules === undefined ? {} : { rules: rules.hash }),
      ...signed,
      ...(options.review === true ? { needsApproval: true } : {}),
      ...(parallel === undefined ? {} : { parallel }),
    };
    return { plan, input, store: async (config) => rules?.store(config) };
  });
}

function againOptions({ rules, review }: ReplayOptions): string[] {
  return [
    ...(rules === undefined ? [] : ['--rules', rules]),
    ...(review === true ? ['--review'] : []),
  ];
}

async function signal(
  config: Config,
  options: ReplayOptions,
  workflowId: string,
  name: typeof PAUSE_SIGNAL | typeof RESUME_SIGNAL,
): Promise<void> {
  const { signalRun, temporalPlace } = await import('../workflow-run.js');
  const command = signalCommand(temporalPlace(config), workflowId, name);
  say(`same as  ${command}`);
  await signalRun(config, workflowId, name);
  const document = { workflow_id: workflowId, signal: name, command };
  printResult(options.json === true, document, () => `${workflowId}: ${name}`);
}

function text({ workflowId, result }: RunOutcome): string {
  return result === null ? `${workflowId} runs` : replayText(result as ReplayRangeResult);
}

/** What a replay did, for people: every hour of it is in one of the numbers. */
export function replayText(result: ReplayRangeResult): string {
  const { publication, hours, published, confirmed, held, cellsDiffer, planHash } = result;
  const unchanged = unchangedOf(result);
  return [
    `${String(hours)} ${hours === 1 ? 'hour' : 'hours'}: ${String(published)} published, ` +
      `${String(confirmed)} confirmed, ${String(held)} held, ${String(unchanged)} unchanged; ` +
      `${String(cellsDiffer)} cells differ`,
    ...(unchanged === 0 ? [] : [unchangedText(unchanged)]),
    ...named('published with an alert', result.alerted ?? 0, result.alerts ?? []),
    ...named('held for a person', held, result.holds ?? []),
    publication === null ? 'nothing was published' : `publication ${String(publication)}`,
    `plan ${planHash}`,
  ].join('\n');
}

/** Hours that are named here at most; `truecount hours` shows all. */
const NAMED_MAX = 5;

function named(what: string, count: number, hours: readonly HeldHour[]): string[] {
  const lines = hours.slice(0, NAMED_MAX).map(({ hour, reason }) => `  ${hour}: ${reason}`);
  if (lines.length === 0) return [];
  const more = count - lines.length;
  const rest = more > 0 ? [`  and ${String(more)} more: truecount hours`] : [];
  return [`${String(count)} ${what}`, ...lines, ...rest];
}

function unchangedText(hours: number): string {
  const serves = hours === 1 ? 'the generation that serves has' : 'the generations that serve have';
  return `${String(hours)} unchanged: ${serves} the same inputs, the lake was not read`;
}
