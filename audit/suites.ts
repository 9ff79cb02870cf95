import { INVARIANTS, type Check, type Invariant } from './report.js';

/**
 * Invariants that are about what happens over time, not about a state that can be looked at: the
 * test files that cover each. Empty: nothing exists yet that it speaks about.
 */
export const SUITES: readonly {
  readonly invariant: Invariant;
  readonly why: string;
  readonly suite: readonly string[];
}[] = [
  {
    invariant: 'I2',
    why: 'a refused worker leaves no trace to look at',
    suite: ['test/faults/freeze.int.test.ts', 'test/faults/kill.int.test.ts'],
  },
  { invariant: 'I5', why: 'it is about generations, and there are none yet', suite: [] },
  {
    invariant: 'I7',
    why: 'it is about what one answer reads while others write',
    suite: ['test/api/snapshot.int.test.ts'],
  },
  { invariant: 'I8', why: 'nothing has been published yet', suite: [] },
  { invariant: 'I9', why: 'there is no recompute or publish yet', suite: [] },
  { invariant: 'I12', why: 'there are no keys yet: the API binds to localhost', suite: [] },
  {
    invariant: 'I13',
    why: 'it is about memory while running',
    suite: ['test/stream/dedupe-bound.int.test.ts'],
  },
];

/** One unchecked entry for each invariant that no check of state covers. */
export function suiteChecks(): Check[] {
  return SUITES.map(({ invariant, why, suite }) => ({
    invariant,
    name: 'suite',
    status: 'unchecked',
    detail:
      `${INVARIANTS[invariant]}: ${why}` +
      (suite.length === 0 ? '' : `; covered by ${suite.join(', ')}`),
    examples: [],
    checked: {},
    suite,
  }));
}
