/** The invariants of the design, by the names that tests, drills and operators use. */
export const INVARIANTS = {
  I1: 'exactly once',
  I2: 'one commit',
  I3: 'conservation',
  I4: 'dimensions agree',
  I5: 'event time only',
  I6: 'stream = batch at a cut',
  I7: 'no mix',
  I8: 'final is final',
  I9: 'failure changes nothing',
  I10: 'reproducible',
  I11: 'tamper-evident',
  I12: 'tenants',
  I13: 'bounded',
} as const;

export type Invariant = keyof typeof INVARIANTS;

/** `unchecked` is never a pass: `detail` says why nothing can be said here. */
export type CheckStatus = 'ok' | 'broken' | 'unchecked';

/** One finding, as named values: topic, partition, offsets, hour, what was found and expected. */
export type Example = Readonly<Record<string, unknown>>;

export interface Check {
  readonly invariant: Invariant;
  /** Unique within the invariant, for people and scripts: `cells_against_log`. */
  readonly name: string;
  readonly status: CheckStatus;
  /** One sentence: what holds, what is broken, or why it could not be checked. */
  readonly detail: string;
  /** At most EXAMPLES_MAX of what is broken; findings that are excused follow them, marked. */
  readonly examples: readonly Example[];
  /** How much was looked at, and how much of it failed, by name. */
  readonly checked: Readonly<Record<string, number>>;
  /** Test files that cover what no check of state can. */
  readonly suite?: readonly string[];
}

export interface AuditReport {
  readonly checks: readonly Check[];
  /** Whether no check is broken. Unchecked ones do not make it false: look at them. */
  readonly ok: boolean;
}

export const EXAMPLES_MAX = 10;

/** Collects findings of one check: all are counted, the first few are kept. */
export class Findings {
  count = 0;
  readonly examples: Example[] = [];

  /** `describe` is only called for findings that are kept. */
  add(describe: () => Example): void {
    this.count++;
    if (this.examples.length < EXAMPLES_MAX) this.examples.push(describe());
  }
}

/** A check of what was looked at in code: `checked` says how much, its first entry what. */
export function findingsCheck(
  invariant: Invariant,
  name: string,
  findings: Findings,
  checked: Readonly<Record<string, number>>,
  { holds }: { readonly holds: string },
): Check {
  const [unit = 'things', looked = 0] = Object.entries(checked)[0] ?? [];
  return {
    invariant,
    name,
    status: findings.count > 0 ? 'broken' : 'ok',
    detail:
      findings.count > 0
        ? `${plural(findings.count, 'finding')} in ${String(looked)} ${unit}; it should be: ${holds}`
        : `${holds} (${String(looked)} ${unit})`,
    examples: findings.examples,
    checked: { ...checked, findings: findings.count },
  };
}

/** A check that was not made. */
export function uncheckedCheck(invariant: Invariant, name: string, why: string): Check {
  return { invariant, name, status: 'unchecked', detail: why, examples: [], checked: {} };
}

export function reportOf(checks: readonly Check[]): AuditReport {
  return { checks, ok: checks.every((check) => check.status !== 'broken') };
}

/** `1 hour`, `2 hours`: a count with its noun. */
export function plural(n: number, noun: string, nouns = `${noun}s`): string {
  return `${String(n)} ${n === 1 ? noun : nouns}`;
}
