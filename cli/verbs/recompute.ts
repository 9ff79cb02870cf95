import type { Command } from 'commander';
import { TruecountError } from '../../core/errors.js';
import type { CutChoice, RecomputeHourResult } from '../../workflows/contract.js';
import { recomputeHourStart } from '../../workflows/start-options.js';
import { configFor } from '../options.js';
import { columns, printResult, withExamples } from '../output.js';
import { recomputeHours } from '../plan-hours.js';
import {
  askedRules,
  makePlan,
  outcomeDocument,
  rangeOf,
  readFacts,
  runPlan,
  withRangeOptions,
  type RangeOptions,
} from '../range-verb.js';
import { withReader } from '../with-reader.js';
import type { RunOutcome } from '../workflow-run.js';

interface RecomputeOptions extends RangeOptions {
  readonly rules?: string;
  readonly cut: string;
}

const CUTS: readonly CutChoice[] = ['hour', 'served', 'late'];
/** Below what serves there is nothing to publish; where nothing serves, it is the hour's own cut. */
const DEFAULT_CUT: CutChoice = 'served';

/** `truecount recompute`: counts hours anew from the lake, into generations. */
export function register(program: Command): void {
  const recompute = withRangeOptions(
    program
      .command('recompute')
      .summary('count hours anew from the lake; nothing is published')
      .description(
        'Counts each hour of a range anew from the files of the lake, into a generation. What serves ' +
          'stays as it is; `reconcile` and `publish` come after it, `replay` does all of it.',
      ),
  )
    .option(
      '--rules <version|hash|file>',
      'count by this rule set (default: what serves, else the pin)',
    )
    .option('--cut <which>', 'hour, served or late: up to where in the log', DEFAULT_CUT)
    .action(run);
  withExamples(
    recompute,
    'npx truecount recompute --from 2025-11-21T08 --to 2025-11-21T10 --plan',
    'npx truecount recompute --from 2025-11-21T08 --to 2025-11-21T10',
  );
}

async function run(options: RecomputeOptions): Promise<void> {
  const { config } = configFor(options);
  const range = rangeOf(options);
  const cut = cutOf(options.cut);
  const { plan, rules } = await withReader(options, async (pool) => {
    const asked = await askedRules(pool, options.rules);
    const hours = recomputeHours(await readFacts(pool, range), asked?.hash, cut);
    return { plan: await makePlan(pool, 'recompute', range, hours), rules: asked };
  });
  if (options.plan !== true && options.cancel !== true) await rules?.store(config);
  const wanted = plan.hours
    .filter(({ steps }) => steps.length > 0)
    .map(({ hour }) => {
      const input = { hour, cut, ...(rules === undefined ? {} : { rules: rules.hash }) };
      return { options: recomputeHourStart(input), input };
    });
  const again = [
    ...(options.rules === undefined ? [] : ['--rules', options.rules]),
    ...(cut === DEFAULT_CUT ? [] : ['--cut', cut]),
  ];
  const outcomes = await runPlan(config, options, { plan, wanted, again });
  if (outcomes === null) return;
  const document = { workflows: outcomes.map(outcomeDocument) };
  printResult(options.json === true, document, () => table(outcomes));
}

function cutOf(text: string): CutChoice {
  const found = CUTS.find((cut) => cut === text);
  if (found !== undefined) return found;
  throw new TruecountError('invalid_argument', `--cut ${text}: it is hour, served or late`);
}

function table(outcomes: readonly RunOutcome[]): string {
  const rows = outcomes.map(({ workflowId, result }) => {
    if (result === null) return [workflowId, 'runs', '', '', '', ''];
    const { hour, generation, clicks, cells, checksum, ruleSet, existed } =
      result as RecomputeHourResult;
    return [
      hour,
      String(generation) + (existed ? ' (was there)' : ''),
      String(clicks),
      String(cells),
      ruleSet.slice(0, 8),
      checksum.slice(0, 16),
    ];
  });
  return columns([['HOUR', 'GENERATION', 'CLICKS', 'CELLS', 'RULES', 'CHECKSUM'], ...rows]);
}
