/** From which event hour on a rule set counts new hours. */
export interface RulesInForce {
  /** From 1, without a gap. */
  readonly version: number;
  /** `hashRuleSet`. */
  readonly hash: string;
  /** First millisecond of the first hour; null: all hours. */
  readonly sinceMs: number | null;
}

/** The version in force for an hour: the newest that has begun by then. `versions` in any order. */
export function versionFor<T extends RulesInForce>(
  versions: readonly T[],
  hourMs: number,
): T | undefined {
  let found: T | undefined;
  for (const one of versions) {
    const begun = one.sinceMs === null || one.sinceMs <= hourMs;
    if (begun && (found === undefined || one.version > found.version)) found = one;
  }
  return found;
}
