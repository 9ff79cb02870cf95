import { parseTime } from '../core/range.js';
import type { PlannedHour, RangePlan } from '../core/range-plan.js';
import type { Config } from '../runtime/config.js';
import {
  whatWouldChange,
  type CandidateHour,
  type WhatIf,
  type WouldChange,
} from '../store/read/what-if.js';
import type { RecomputeHourInput, RecomputeHourResult } from '../workflows/contract.js';
import { recomputeHourStart } from '../workflows/start-options.js';
import type { CommonOptions } from './options.js';
import { columns, say } from './output.js';
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
 * was counted here. null: Ctrl-C left it running, and nothing can be said yet. `again` follows, or
 * cancels, what was started.
 */
export async function plannedChange(
  config: Config,
  options: CommonOptions,
  plan: RangePlan,
  rules: string,
  again: string,
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
  const without = new Map(counted.map(({ hourMs, generation }) => [hourMs, generation]));
  const added = withLate.map((one) => ({ ...one, base: without.get(one.hourMs)! }));
  return withReader(options, async (pool) => ({
    ...(await whatWouldChange(pool, counted, TOP)),
    ...{ hours: counted.length, uncut },
    late: { ...(await whatWouldChange(pool, added, TOP)), hours: late.length, pending },
  }));
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

/** For people: sums, then the filters and ads that would change most; then the same of late clicks. */
export function changeText(change: PlannedChange): string {
  const { hours, uncut, cells, late } = change;
  const head =
    `these rules would change ${String(cells)} cells in ${String(hours)} hours` +
    (uncut === 0 ? '' : `; of ${String(uncut)} hours that are not cut nothing is known yet`);
  return [head, ...tables(change, 'NOW'), ...(late.hours === 0 ? [] : lateText(late))].join('\n');
}

function lateText(late: LateChange): string[] {
  const { hours, pending, cells } = late;
  return [
    '',
    `whatever the rules, the replay would also take in ${String(pending)} late clicks of ` +
      `${String(hours)} hours: counted by these rules, they change ${String(cells)} cells more`,
    ...tables(late, 'WITHOUT'),
  ];
}

/** @param before heading of what they are compared with */
function tables({ cells, filters, ads }: WhatIf, before: string): string[] {
  if (cells === 0) return [];
  const row = (names: readonly string[], one: WouldChange): string[] => {
    const moved = one.after - one.before;
    return [
      ...names,
      String(one.cells),
      String(one.before),
      String(one.after),
      (moved > 0 ? '+' : '') + String(moved),
    ];
  };
  const counts = ['CELLS', before, 'THEN', 'CHANGE'];
  return [
    '',
    columns([
      ['FILTER', ...counts],
      ...filters.map((one) => row([one.filter === '' ? '(total)' : one.filter], one)),
    ]),
    '',
    columns([
      ['AD', 'FILTER', ...counts],
      ...ads.map((one) => row([one.adId, one.filter === '' ? '(total)' : one.filter], one)),
    ]),
  ];
}

/** The same as a part of a JSON document. */
export function changeDocument({ hours, uncut, late, ...change }: PlannedChange) {
  const { hours: lateHours, pending, ...added } = late;
  return {
    ...{ hours, uncut_hours: uncut, ...whatIfDocument(change) },
    late: { hours: lateHours, late_pending: pending, ...whatIfDocument(added) },
  };
}

function whatIfDocument({ cells, before, after, filters, ads }: WhatIf) {
  return {
    ...{ cells, before, after, filters },
    ads: ads.map(({ adId, ...rest }) => ({ ad_id: adId, ...rest })),
  };
}
