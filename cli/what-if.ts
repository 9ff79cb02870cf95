import { parseTime } from '../core/range.js';
import type { RangePlan } from '../core/range-plan.js';
import type { Config } from '../runtime/config.js';
import { whatWouldChange, type WhatIf, type WouldChange } from '../store/read/what-if.js';
import type { RecomputeHourResult } from '../workflows/contract.js';
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
}

/**
 * Counts the hours of a plan by a stored rule set and compares them with what is answered now.
 * Nothing is published; a replay of the same hours finds what was counted here. null: Ctrl-C left it
 * running, and nothing can be said yet. `again` follows, or cancels, what was started.
 */
export async function plannedChange(
  config: Config,
  options: CommonOptions,
  plan: RangePlan,
  rules: string,
  again: string,
): Promise<PlannedChange | null> {
  const wanted = plan.hours.flatMap(({ hour, steps }) => {
    const recompute = steps.find((step) => step.startsWith('recompute'));
    if (recompute === undefined || steps.includes('cut')) return [];
    const cut = recompute === 'recompute' ? ('served' as const) : ('late' as const);
    const input = { hour, cut, rules };
    return [{ options: recomputeHourStart(input), input }];
  });
  const uncut = plan.hours.filter(({ steps }) => steps.includes('cut')).length;
  say(`counting ${String(wanted.length)} hours by these rules; nothing is published`);
  const { runWorkflows } = await import('./workflow-run.js');
  const outcomes = await runWorkflows(config, wanted, { wait: true, again });
  if (outcomes.some(({ result }) => result === null)) return null;
  const candidates = outcomes.map(({ result }) => {
    const { hour, generation } = result as RecomputeHourResult;
    return { hourMs: parseTime('hour', hour), generation };
  });
  const change = await withReader(options, (pool) => whatWouldChange(pool, candidates, TOP));
  return { ...change, hours: candidates.length, uncut };
}

/** For people: sums, then the filters and ads that would change most. */
export function changeText(change: PlannedChange): string {
  const { hours, uncut, cells, filters, ads } = change;
  const head =
    `these rules would change ${String(cells)} cells in ${String(hours)} hours` +
    (uncut === 0 ? '' : `; of ${String(uncut)} hours that are not cut nothing is known yet`);
  if (cells === 0) return head;
  const row = (names: readonly string[], { cells: n, before, after }: WouldChange): string[] => {
    const moved = after - before;
    return [
      ...names,
      String(n),
      String(before),
      String(after),
      (moved > 0 ? '+' : '') + String(moved),
    ];
  };
  return [
    head,
    '',
    columns([
      ['FILTER', 'CELLS', 'NOW', 'THEN', 'CHANGE'],
      ...filters.map((one) => row([one.filter === '' ? '(total)' : one.filter], one)),
    ]),
    '',
    columns([
      ['AD', 'FILTER', 'CELLS', 'NOW', 'THEN', 'CHANGE'],
      ...ads.map((one) => row([one.adId, one.filter === '' ? '(total)' : one.filter], one)),
    ]),
  ].join('\n');
}

/** The same as a part of a JSON document. */
export function changeDocument({
  hours,
  uncut,
  cells,
  before,
  after,
  filters,
  ads,
}: PlannedChange) {
  return {
    ...{ hours, uncut_hours: uncut, cells, before, after, filters },
    ads: ads.map(({ adId, ...rest }) => ({ ad_id: adId, ...rest })),
  };
}
