import type { Command } from 'commander';
import { TruecountError } from '../../core/errors.js';
import type { ReconcileHourInput, ReconcileHourResult } from '../../workflows/contract.js';
import { reconcileHourStart } from '../../workflows/start-options.js';
import { lastMade } from '../../store/read/range-plan.js';
import { configFor } from '../options.js';
import { columns, printResult, withExamples } from '../output.js';
import { reconcileHours } from '../plan-hours.js';
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

interface ReconcileOptions extends RangeOptions {
  readonly rules?: string;
  readonly against?: string;
}

type Against = NonNullable<ReconcileHourInput['against']>;

/** `truecount reconcile`: compares the newest generations with what is counted or served. */
export function register(program: Command): void {
  const reconcile = withRangeOptions(
    program
      .command('reconcile')
      .summary('compare recomputed hours with what serves; nothing is published')
      .description(
        'Compares the newest generation of each hour, cell by cell, with what serves it or with what ' +
          'the stream counted, names the causes of differences, and decides what is to be done.',
      ),
  )
    .option(
      '--rules <version|hash|file>',
      'the newest generation by this rule set (default: by what serves, else the pin)',
    )
    .option('--against <what>', 'live or served (default: served, if a generation serves)')
    .action(run);
  withExamples(reconcile, 'npx truecount reconcile --from 2025-11-21T08 --to 2025-11-21T10');
}

async function run(options: ReconcileOptions): Promise<void> {
  const { config } = configFor(options);
  const range = rangeOf(options);
  const against = againstOf(options.against);
  const plan = await withReader(options, async (pool) => {
    const rules = await askedRules(pool, options.rules);
    const candidates = await lastMade(pool, range);
    const hours = reconcileHours(await readFacts(pool, range), candidates, rules?.hash);
    return makePlan(pool, 'reconcile', range, hours);
  });
  const wanted = plan.hours.flatMap(({ hour, generation, steps }) => {
    if (generation === null || steps.length === 0) return [];
    const input = { hour, generation, ...(against === undefined ? {} : { against }) };
    return [{ options: reconcileHourStart(input), input }];
  });
  const again = [
    ...(options.rules === undefined ? [] : ['--rules', options.rules]),
    ...(against === undefined ? [] : ['--against', against]),
  ];
  const outcomes = await runPlan(config, options, { plan, wanted, again });
  if (outcomes === null) return;
  const document = { workflows: outcomes.map(outcomeDocument) };
  printResult(options.json === true, document, () => table(outcomes));
}

function againstOf(text: string | undefined): Against | undefined {
  if (text === undefined || text === 'live' || text === 'served') return text;
  throw new TruecountError('invalid_argument', `--against ${text}: it is live or served`);
}

function table(outcomes: readonly RunOutcome[]): string {
  const rows = outcomes.map(({ workflowId, result }) => {
    if (result === null) return [workflowId, 'runs', '', '', '', ''];
    const { hour, generation, cellsDiffer, drift, decision, reason } =
      result as ReconcileHourResult;
    const share = `${(drift * 100).toPrecision(3)} %`;
    return [hour, String(generation), String(cellsDiffer), share, decision, reason];
  });
  return columns([['HOUR', 'GENERATION', 'CELLS DIFFER', 'DRIFT', 'DECISION', 'WHY'], ...rows]);
}
