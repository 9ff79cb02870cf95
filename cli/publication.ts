import type pg from 'pg';
import type { PlannedHour } from '../core/range-plan.js';
import type { TimeRange } from '../core/range.js';
import type { Candidate } from '../store/read/range-plan.js';
import type { PublishRangeInput, PublishRangeResult } from '../workflows/contract.js';
import { publishRangeStart } from '../workflows/start-options.js';
import { configFor } from './options.js';
import { columns, printResult } from './output.js';
import { publishInputs, type PlanFacts } from './plan-hours.js';
import {
  makePlan,
  outcomeDocument,
  rangeOf,
  readFacts,
  runPlan,
  signature,
  type RangeOptions,
} from './range-verb.js';
import { withReader } from './with-reader.js';
import type { RunOutcome } from './workflow-run.js';

/** A verb that changes what is served, or what may be: its name is the kind of its entry. */
export interface PublicationVerb {
  readonly kind: Exclude<PublishRangeInput['kind'], 'confirm'>;
  /** For the ledger; default: the verb. */
  readonly reason: string | undefined;
  /** Options to give again to follow it. */
  readonly again: string[];
  /** The generations that it may be about. */
  readonly candidates: (pool: pg.Pool, range: TimeRange) => Promise<readonly Candidate[]>;
  /** What becomes of the hours; throws where it must not be done. */
  readonly decide: (facts: PlanFacts, candidates: readonly Candidate[]) => readonly PlannedHour[];
}

/**
 * Plans a publication, a rollback or a release, runs it as the options say, and prints what came of it.
 * @throws TruecountError `invalid_argument` for a reason that the ledger does not take
 */
export async function runPublication(options: RangeOptions, verb: PublicationVerb): Promise<void> {
  const { kind, reason = kind, again } = verb;
  const { config } = configFor(options);
  const range = rangeOf(options);
  const { plan, inputs } = await withReader(options, async (pool) => {
    const candidates = await verb.candidates(pool, range);
    const hours = verb.decide(await readFacts(pool, range), candidates);
    const planned = await makePlan(pool, kind, range, hours);
    return { plan: planned, inputs: publishInputs(hours, candidates) };
  });
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
