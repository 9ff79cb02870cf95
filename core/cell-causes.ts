import { definitionsOf } from './rules/definitions.js';
import { capsOf } from './rules/meaning.js';
import { TOTAL_FILTER } from './rules/rule-set.js';
import type { Dimension, RuleSet } from './rules/rule-set.js';

/** Why a cell of a generation may differ from what it replaces. `unknown` is an alarm. */
export const DIFF_CAUSES = [
  'late',
  'dedupe_overflow',
  'rule_version',
  'stream_loss',
  'archive_loss',
  'unknown',
] as const;
export type DiffCause = (typeof DIFF_CAUSES)[number];

/** One cell that differs, of one ad and minute. */
export interface MovedCell {
  readonly filter: string;
  readonly base: number;
  readonly now: number;
  /** Late clicks between the two cuts that were recorded under this filter, by the hour's pin. */
  readonly late: number;
}

/**
 * How far each cause can move a cell of one minute: bounds that follow from positions and from the
 * two independent counts of the minute, not from the cells. 0: the cause is out of the question.
 */
export interface MinuteBounds {
  /** Clicks that the stream counted or recorded nowhere, since it never read them. */
  readonly unread: number;
  /** Clicks that the lake does not have. */
  readonly unarchived: number;
  /** Duplicates that were counted, since the memory of ids had been given up. */
  readonly recounted: number;
  /** Duplicates that were counted, since the stream never read the first of them. */
  readonly orphaned: number;
}

/** The rules on both sides, made ready by `ruleMoves`. */
export interface RuleMoves {
  /** Whether the filters of late clicks were recorded by the rule set of the generation. */
  readonly lateByNewRules: boolean;
  /** They take out other clicks: every cell may be more or less, the total as well. */
  readonly filtersDiffer: boolean;
  /** How many caps a click counts for, on the side that has more: one more may push out as many. */
  readonly caps: number;
  /** By name of the dimension. */
  readonly dimensions: ReadonlyMap<string, DimensionMove>;
}

interface DimensionMove {
  /** Both rule sets have it, so its values add up to the total on both sides. */
  readonly shared: boolean;
  /** Values that clicks may leave, and enter; null: any. */
  readonly leaves: ReadonlySet<string> | null;
  readonly enters: ReadonlySet<string> | null;
}

const NOTHING: ReadonlySet<string> = new Set();

/** What replacing one rule set by another can move. `pin` is the hash by which live was counted. */
export function ruleMoves(base: RuleSet, next: RuleSet, lateByNewRules: boolean): RuleMoves {
  const [before, after] = [definitionsOf(base), definitionsOf(next)];
  const dimensions = new Map<string, DimensionMove>();
  for (const { name } of base.dimensions) {
    dimensions.set(name, { shared: false, leaves: null, enters: NOTHING });
  }
  for (const dimension of next.dimensions) {
    const { name } = dimension;
    const old = base.dimensions.find((one) => one.name === name);
    const same = before.dimensions.get(name) === after.dimensions.get(name);
    if (old === undefined) dimensions.set(name, { shared: false, leaves: NOTHING, enters: null });
    else if (same) dimensions.set(name, { shared: true, leaves: NOTHING, enters: NOTHING });
    else dimensions.set(name, { shared: true, ...valueMoves(old, dimension) });
  }
  const caps = Math.max(capsOf(base).length, capsOf(next).length);
  return { lateByNewRules, filtersDiffer: before.filters !== after.filters, caps, dimensions };
}

/** Which values clicks may leave and enter: known where both are a field, a map and nothing else. */
function valueMoves(before: Dimension, after: Dimension): Pick<DimensionMove, 'leaves' | 'enters'> {
  const [from, to] = [plainMap(before), plainMap(after)];
  if (from === null || to === null || from.field !== to.field)
    return { leaves: null, enters: null };
  const leaves = new Set<string>();
  const enters = new Set<string>();
  for (const value of [...from.map.keys(), ...to.map.keys()]) {
    const [was, is] = [from.map.get(value) ?? value, to.map.get(value) ?? value];
    if (was === is) continue;
    leaves.add(was);
    enters.add(is);
  }
  return { leaves, enters };
}

function plainMap(dimension: Dimension): { field: string; map: Map<string, string> } | null {
  const plain = Object.keys(dimension).every((key) => ['name', 'field', 'map'].includes(key));
  if (!plain || !('field' in dimension)) return null;
  return { field: dimension.field, map: new Map(Object.entries(dimension.map ?? {})) };
}

/**
 * The causes of all cells of one ad and minute that differ, by index.
 *
 * A cause is named only if it is sufficient: something that was recorded while it happened says that
 * it happened, in the right direction, and far enough. So:
 *
 * - `late`: more. The generation's cut is above that of what it replaces, and between the two at
 *   least as many late clicks of this cell are recorded (fewer move it where some are duplicates).
 * - `rule_version`: the rule sets differ in this dimension, and this value is one that clicks leave
 *   (less) or enter (more) between them; or their filters differ, which moves every cell, and is the
 *   only way in which rules move the unfiltered total.
 * - `dedupe_overflow`: less. Live counted duplicates, since the hour's memory of ids was given up or
 *   could not be rebuilt; no more than the generation found duplicates in the minute.
 * - `stream_loss`: more by what the stream never read, no more than the archive has over the stream
 *   in this minute; or less by duplicates whose first the stream never read.
 * - `archive_loss`: less by what the lake does not have, no more than the stream has over the lake.
 * - `unknown`: everything else.
 *
 * Where the rule set has caps, a click that only one side has also takes the place of one that comes
 * after it, once for every cap: there losses and duplicates move cells the other way as well.
 *
 * Before any of that the dimensions must agree (I4). Every cause moves a dimension's values by as
 * much, in sum, as the total of the ad and minute: a dimension that does not follow the total has a
 * cell that was changed by something else, and all of its cells here are `unknown`; where no
 * dimension follows the total, it is the total.
 */
export function causesOf(
  cells: readonly MovedCell[],
  lateTotal: number,
  bounds: MinuteBounds,
  rules: RuleMoves,
): DiffCause[] {
  const suspects = suspectsOf(cells, rules);
  return cells.map((cell) => {
    const name = dimensionOf(cell.filter);
    if (suspects.has(name)) return 'unknown';
    const late = rules.lateByNewRules || name === null ? cell.late : lateTotal;
    const delta = cell.now - cell.base;
    const moved = rules.dimensions.get(name ?? '');
    const value = cell.filter.slice((name ?? '').length + 1);
    const byRules = (values: ReadonlySet<string> | null | undefined): number =>
      rules.filtersDiffer || values === null || values?.has(value) === true ? Infinity : 0;
    const { caps } = rules;
    return delta > 0
      ? sufficient(delta, [
          ['late', late],
          ['rule_version', byRules(moved?.enters)],
          ['stream_loss', bounds.unread + caps * bounds.orphaned],
          ['archive_loss', caps * bounds.unarchived],
          ['dedupe_overflow', caps * bounds.recounted],
        ])
      : sufficient(-delta, [
          ['rule_version', byRules(moved?.leaves)],
          ['archive_loss', bounds.unarchived],
          ['dedupe_overflow', bounds.recounted],
          ['stream_loss', bounds.orphaned + caps * bounds.unread],
        ]);
  });
}

/** The first cause that is enough alone; else, where all together are, the one with the most. */
function sufficient(moved: number, causes: readonly (readonly [DiffCause, number])[]): DiffCause {
  const enough = causes.find(([, most]) => most >= moved);
  if (enough !== undefined) return enough[0];
  const together = causes.reduce((sum, [, most]) => sum + most, 0);
  if (together < moved) return 'unknown';
  return causes.reduce((a, b) => (b[1] > a[1] ? b : a))[0];
}

/** Dimensions (null: the total) with a cell that breaks I4 between the two sides. */
function suspectsOf(cells: readonly MovedCell[], rules: RuleMoves): ReadonlySet<string | null> {
  const sums = new Map<string, number>();
  for (const [name, { shared }] of rules.dimensions) if (shared) sums.set(name, 0);
  let total = 0;
  for (const { filter, base, now } of cells) {
    const name = dimensionOf(filter);
    if (name === null) total += now - base;
    else if (sums.has(name)) sums.set(name, sums.get(name)! + now - base);
  }
  const odd = [...sums].filter(([, sum]) => sum !== total);
  if (odd.length === 0) return new Set();
  const names = odd.map(([name]) => name);
  if (odd.length < sums.size) return new Set(names);
  // None follows the total: if they agree with each other, and are several, it is the total alone.
  const agree = odd.length > 1 && odd.every(([, sum]) => sum === odd[0]![1]);
  return new Set(agree ? [null] : [null, ...names]);
}

function dimensionOf(filter: string): string | null {
  return filter === TOTAL_FILTER ? null : filter.slice(0, filter.indexOf(':'));
}
