import { canonicalJson, sha256Hex } from './rules/canonical-json.js';

/** What one hour of a range is, and what would be done to it. Times in RFC 3339, UTC. */
export interface PlannedHour {
  readonly hour: string;
  /** `empty`: nothing has been counted into it; `live`: not cut; `cut`; `final`: a revision serves. */
  readonly state: 'empty' | 'live' | 'cut' | 'final';
  /** The revision that serves; 0: none. */
  readonly revision: number;
  readonly held: boolean;
  /** Late clicks that nobody has examined. */
  readonly latePending: number;
  /** Hash of the rule set by which it would be counted, or is in the generation. */
  readonly ruleSet: string;
  /** The generation that would be compared or published; null: it is to be made. */
  readonly generation: number | null;
  /** The steps in words; empty: nothing would be done. */
  readonly steps: readonly string[];
  /** Why nothing would be done, or what to know about it. */
  readonly note: string;
  /** What there is to read in the lake now. */
  readonly files: number;
  readonly bytes: number;
  readonly rows: number;
}

/** A plan of a range, before anything runs. */
export interface RangePlan {
  /** The verb that it is of. */
  readonly verb: string;
  readonly from: string;
  readonly to: string;
  readonly hours: readonly PlannedHour[];
  readonly files: number;
  readonly bytes: number;
  readonly rows: number;
  /** By the pace of the last recomputes; null: there are none to go by, or nothing is read. */
  readonly expectedMs: number | null;
  /** Names what would be done: see `planHash`. */
  readonly hash: string;
}

/**
 * SHA-256 over everything that decides what would be done. Sizes are left out: they grow while the
 * archive goes on, and change nothing that anybody approves.
 */
export function planHash(
  plan: Pick<RangePlan, 'verb' | 'from' | 'to'>,
  hours: readonly PlannedHour[],
): string {
  const lines = hours.map(({ hour, state, revision, held, latePending, ruleSet, ...rest }) => ({
    ...{ hour, state, revision, held, late: latePending > 0, rule_set: ruleSet },
    ...{ generation: rest.generation, steps: [...rest.steps] },
  }));
  const { verb, from, to } = plan;
  return sha256Hex(canonicalJson({ verb, from, to, hours: lines }));
}

/** A generation that was made: when it was done, and how many clicks it was made from. */
export interface PastBuild {
  readonly builtAtMs: number;
  readonly rows: number;
}

/** Builds further apart were not made one after another. */
const GAP_MS_MAX = 10 * 60_000;

/**
 * Rows per second of past recomputes: the median of rows by the time since the build before, of
 * builds that followed each other; null where there are none. What ran side by side counts as it
 * came out, so the pace is that of the whole, not of one task.
 */
export function paceOf(builds: readonly PastBuild[]): number | null {
  const byTime = [...builds].sort((a, b) => a.builtAtMs - b.builtAtMs);
  const paces = byTime
    .map(({ builtAtMs, rows }, i) => ({ rows, gapMs: builtAtMs - (byTime[i - 1]?.builtAtMs ?? 0) }))
    .filter(({ rows, gapMs }) => rows > 0 && gapMs > 0 && gapMs <= GAP_MS_MAX)
    .map(({ rows, gapMs }) => (rows * 1_000) / gapMs)
    .sort((a, b) => a - b);
  return paces[Math.floor(paces.length / 2)] ?? null;
}

/** Puts the hours of a plan together; `pace` as `paceOf` gives it. */
export function planOf(
  plan: Pick<RangePlan, 'verb' | 'from' | 'to'>,
  hours: readonly PlannedHour[],
  pace: number | null,
): RangePlan {
  const sum = (of: (hour: PlannedHour) => number): number =>
    hours.reduce((total, hour) => total + of(hour), 0);
  const rows = sum((hour) => hour.rows);
  return {
    ...plan,
    hours,
    files: sum(({ files }) => files),
    bytes: sum(({ bytes }) => bytes),
    rows,
    expectedMs: pace === null || rows === 0 ? null : Math.round((rows * 1_000) / pace),
    hash: planHash(plan, hours),
  };
}
