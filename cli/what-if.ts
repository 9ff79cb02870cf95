import { parseTime } from '../core/range.js';
import type { PlannedHour, RangePlan } from '../core/range-plan.js';
import type { Config } from '../runtime/config.js';
import { inSnapshot } from '../store/read/snapshot.js';
import type { ComparedHour } from '../store/read/what-if-cells.js';
import { whatWouldChange, type CandidateHour, type WhatIf } from '../store/read/what-if.js';
import type { RecomputeHourInput, RecomputeHourResult } from '../workflows/contract.js';
import { recomputeHourStart } from '../workflows/start-options.js';
import type { CommonOptions } from './options.js';
import { say } from './output.js';
import { writeCells } from './what-if-cells.js';
import { withReader } from './with-reader.js';

/** Filters and ads that are named at most. */
const TOP = 20;

/** What another rule set would change, and of how many hours it could be said. */
export interface PlannedChange extends WhatIf {
  readonly hours: number;
  /** Hours that are not cut: of them nothing is known before they are. */
  readonly uncut: number;
  /** What the replay would change beside that, by taking in late clicks: not these rules' doing. */
  readonly late: LateChange;
  /** Cells that were written one by one; null: nobody asked for them. */
  readonly cellsWritten: number | null;
}

/** What is asked beside the sums. */
export interface WhatIfAsked {
  /** The command that follows, or cancels, what was started. */
  readonly again: string;
  /** Where every cell is written to; `-` is stdout. */
  readonly cells: string | undefined;
}

export interface LateChange extends WhatIf {
  readonly hours: number;
  /** Late clicks that wait, those that will count for nothing (duplicates, filtered) included. */
  readonly pending: number;
}

/**
 * Counts the hours of a plan by a stored rule set and compares them with what is answered now. Where
 * late clicks wait, an hour is counted twice: without them, which shows what the rules change, and with
 * them, which shows what they add to that. Nothing is published; a replay of the same hours finds what
 * was counted here. null: Ctrl-C left it running, and nothing can be said yet.
 */
export async function plannedChange(
  config: Config,
  options: CommonOptions,
  plan: RangePlan,
  rules: string,
  { again, cells }: WhatIfAsked,
): Promise<PlannedChange | null> {
  const wanted = plan.hours.filter(
    ({ steps }) => !steps.includes('cut') && steps.some((step) => step.startsWith('recompute')),
  );
  const uncut = plan.hours.filter(({ steps }) => steps.includes('cut')).length;
  const late = wanted.filter(({ latePending }) => latePending > 0);
  const pending = late.reduce((sum, hour) => sum + hour.latePending, 0);
  say(`counting ${String(wanted.length)} hours by these rules; nothing is published`);
  // An hour that is counted for its late clicks may be one that these very rules count already.
  const counted = await recomputed(config, again, wanted, ({ hour, latePending }) => {
    return { hour, cut: 'served', rules, ...(latePending > 0 ? { reuse: true } : {}) };
  });
  if (counted === null) return null;
  if (late.length > 0) say(`counting ${String(late.length)} of them with their late clicks`);
  const withLate = await recomputed(config, again, late, ({ hour }) => {
    return { hour, cut: 'late', rules };
  });
  if (withLate === null) return null;
  return withReader(options, (pool) =>
    // The sums and the cells are of one snapshot: each cell is in the sums.
    inSnapshot(pool, async (client) => {
      const sums = await whatWouldChange(client, counted, TOP);
      const added = await whatWouldChange(client, onTopOf(counted, withLate), TOP);
      return {
        ...{ ...sums, hours: counted.length, uncut },
        late: { ...added, hours: late.length, pending },
        cellsWritten:
          cells === undefined ? null : await writeCells(client, compared(counted, withLate), cells),
      };
    }),
  );
}

/** Hours with their late clicks, each compared with itself without them. */
function onTopOf(
  counted: readonly CandidateHour[],
  withLate: readonly CandidateHour[],
): CandidateHour[] {
  const without = new Map(counted.map(({ hourMs, generation }) => [hourMs, generation]));
  return withLate.map((one) => ({ ...one, base: without.get(one.hourMs)! }));
}

/** Hours with what serves them, by the rules, and with late clicks where some wait. */
function compared(
  counted: readonly CandidateHour[],
  withLate: readonly CandidateHour[],
): ComparedHour[] {
  const late = new Map(withLate.map(({ hourMs, generation }) => [hourMs, generation]));
  return counted.map(({ hourMs, generation }) => {
    return { hourMs, generation, withLate: late.get(hourMs) ?? null };
  });
}

/** Generations of hours; null: not all are there yet. */
async function recomputed(
  config: Config,
  again: string,
  hours: readonly PlannedHour[],
  inputOf: (hour: PlannedHour) => RecomputeHourInput,
): Promise<CandidateHour[] | null> {
  if (hours.length === 0) return [];
  const { runWorkflows } = await import('./workflow-run.js');
  const wanted = hours.map((hour) => {
    const input = inputOf(hour);
    return { options: recomputeHourStart(input), input };
  });
  const outcomes = await runWorkflows(config, wanted, { wait: true, again });
  if (outcomes.some(({ result }) => result === null)) return null;
  return outcomes.map(({ result }) => {
    const { hour, generation } = result as RecomputeHourResult;
    return { hourMs: parseTime('hour', hour), generation };
  });
}
