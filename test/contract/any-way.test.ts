import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { coreEngine } from './support/engine.js';
import { expectSame } from './support/expectations.js';
import { cutAbove, hostileQuestion } from './support/questions.js';
import { otherArrival, otherPartitions, withDuplicates } from './support/rearrange.js';
import { assertRuns, RUNS, RUNS_TIMEOUT_MS } from './support/runs.js';

const { count, name } = coreEngine;
const question = hostileQuestion({ acrossPartitions: false });
/** Nothing is late: what is above a cut depends on the partition that a click is in. */
const uncut = question.map((one) => ({ ...one, cut: cutAbove(one.log) }));
const seed = fc.integer();

// The others are asked rearranged questions as well, and have to answer them as core does.
describe('the answer of core is the same', () => {
  test(
    'for any order in which partitions are appended, and any times of append',
    async () => {
      const property = fc.asyncProperty(question, seed, async (one, by) => {
        expectSame(await count(otherArrival(one, by)), await count(one), name);
      });
      await assertRuns(property, RUNS);
    },
    RUNS_TIMEOUT_MS,
  );

  test(
    'for any partitions that keep the clicks of an ad together',
    async () => {
      const property = fc.asyncProperty(uncut, seed, seed, async (one, a, b) => {
        const [left, right] = [otherPartitions(one, a), otherPartitions(one, b)];
        expectSame(await count(left), await count(right), name);
      });
      await assertRuns(property, RUNS);
    },
    RUNS_TIMEOUT_MS,
  );

  test(
    'for any click that comes again, but for the number of duplicates',
    async () => {
      let again = 0;
      const property = fc.asyncProperty(uncut, seed, async (one, by) => {
        const wanted = await count(one);
        const answer = await count(withDuplicates(one, by));
        const { received, duplicate } = answer.flow;
        received.forEach((n, minute) => {
          const more = n - wanted.flow.received[minute]!;
          expect(more).toBe(duplicate[minute]! - wanted.flow.duplicate[minute]!);
          again += more;
        });
        const flow = { ...wanted.flow, received, duplicate };
        expectSame(answer, { ...wanted, flow }, name);
      });
      await assertRuns(property, RUNS);
      expect(again).toBeGreaterThan(RUNS);
    },
    RUNS_TIMEOUT_MS,
  );
});
