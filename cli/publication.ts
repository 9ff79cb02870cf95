import type { RangePlan } from '../core/range-plan.js';
import type { Config } from '../runtime/config.js';
import type { PublishHour, PublishRangeInput, PublishRangeResult } from '../workflows/contract.js';
import { publishRangeStart } from '../workflows/start-options.js';
import { columns, printResult } from './output.js';
import { outcomeDocument, runPlan, signature, type RangeOptions } from './range-verb.js';
import type { RunOutcome } from './workflow-run.js';

export interface PlannedPublication {
  readonly plan: RangePlan;
  readonly inputs: readonly PublishHour[];
  readonly kind: PublishRangeInput['kind'];
  readonly reason: string;
  /** Options to give again to follow it. */
  readonly again: string[];
}

/**
 * Runs a publication or a rollback and prints what came of it.
 * @throws TruecountError `invalid_argument` for a reason that the ledger does not take
 */
export async function runPublication(
  config: Config,
  options: RangeOptions,
  { plan, inputs, kind, reason, again }: PlannedPublication,
): Promise<void> {
  const input: PublishRangeInput = { hours: inputs, kind, ...signature(reason) };
  const wanted = [{ options: publishRangeStart(input, `${plan.from}--${plan.to}`), input }];
  const outcomes = await runPlan(config, options, {
    ...{ plan, wanted },
    // What has been done by then is another plan, and is not done once more.
    again: [...again, '--approve', plan.hash],
  });
  const [outcome] = outcomes ?? [];
  if (outcome === undefined) return;
  printResult(options.json === true, outcomeDocument(outcome), () => text(outcome));
}

function text({ workflowId, result }: RunOutcome): string {
  if (result === null) return `${workflowId} runs`;
  const { publication, hours } = result as PublishRangeResult;
  return [
    `publication ${String(publication)}`,
    columns([['HOUR', 'REV'], ...hours.map(({ hour, revision }) => [hour, String(revision)])]),
  ].join('\n');
}
