import { INVARIANTS, type Check, type Invariant } from './report.js';

/**
 * Invariants, or parts of them, that are about what happens over time and not about a state that can
 * be looked at: the test files or npm scripts that cover each. An empty suite: what the invariant
 * speaks about does not exist yet. test/audit/suites.test.ts keeps the names to what exists.
 */
export const SUITES: readonly {
  readonly invariant: Invariant;
  readonly why: string;
  readonly suite: readonly string[];
}[] = [
  {
    invariant: 'I2',
    why: 'a worker that was refused leaves no trace to look at',
    suite: ['npm run test:faults'],
  },
  {
    invariant: 'I5',
    why: 'it is about counting the same clicks at another time',
    suite: ['test/core/count.test.ts'],
  },
  {
    invariant: 'I6',
    why: 'it is about hours that are cut while clicks flow',
    suite: ['test/final/clicks-while-cutting.int.test.ts'],
  },
  {
    invariant: 'I7',
    why: 'it is about what one answer reads while others write',
    suite: ['test/api/one-snapshot.int.test.ts'],
  },
  {
    invariant: 'I8',
    why: 'an answer that was given before cannot be looked at',
    suite: ['test/store/publish.int.test.ts'],
  },
  {
    invariant: 'I9',
    why: 'it is about readers while something is killed',
    suite: ['npm run test:faults'],
  },
  { invariant: 'I12', why: 'there are no keys yet: the API binds to localhost', suite: [] },
  {
    invariant: 'I13',
    why: 'it is about memory while running',
    suite: ['test/stream/id-set.test.ts', 'test/stream/record-batch.test.ts'],
  },
];

/** One unchecked entry for each of them. */
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
