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

/** A version that another one takes hours from. */
export interface SupersededVersion {
  readonly version: number;
  /** The hours that it loses: from here on, */
  readonly fromMs: number;
  /** up to here; null: all that follow. */
  readonly toMs: number | null;
}

/**
 * What a new version that begins at `sinceMs` takes from those in force: it is the newest, so all hours
 * from there on. Ascending by their hours. `versions` in any order.
 */
export function supersededBy(
  versions: readonly RulesInForce[],
  sinceMs: number,
): SupersededVersion[] {
  const starts = versions.flatMap((one) => one.sinceMs ?? []).filter((ms) => ms > sinceMs);
  const lost: SupersededVersion[] = [];
  for (const fromMs of [sinceMs, ...new Set(starts)].sort((a, b) => a - b)) {
    const inForce = versionFor(versions, fromMs);
    const last = lost.at(-1);
    if (inForce === undefined || inForce.version === last?.version) continue;
    if (last !== undefined) lost.splice(-1, 1, { ...last, toMs: fromMs });
    lost.push({ version: inForce.version, fromMs, toMs: null });
  }
  return lost;
}
