import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestLake } from '../support/lake-files.js';
import type { TestLake } from '../support/lake-files.js';
import { batchEngine } from './support/batch-engine.js';
import type { Spread } from './support/batch-engine.js';
import { coreEngine } from './support/engine.js';
import type { Engine } from './support/engine.js';
import { expectSame } from './support/expectations.js';
import {
  cutAbove,
  hostileQuestion,
  otherArrival,
  otherPartitions,
  withDuplicates,
} from './support/questions.js';
import { FILE_RUNS, RUNS, RUNS_TIMEOUT_MS } from './support/runs.js';
import { streamEngine, takenOverEngine } from './support/stream-engine.js';

const NUM_RUNS = Math.ceil(RUNS / 10);

/** A number from 0 to below 1 with each call, the same ones for a seed (mulberry32). */
function randomBy(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const question = hostileQuestion({ acrossPartitions: false });
/** Nothing is late: what is above a cut depends on the partition that a click is in. */
const uncut = question.map((one) => ({ ...one, cut: cutAbove(one.log) }));
const seed = fc.integer();

describe.each<Engine>([coreEngine, streamEngine])('the answer of $name is the same', (engine) => {
  test(
    'for any order in which partitions are appended, and any times of append',
    async () => {
      await fc.assert(
        fc.asyncProperty(question, seed, async (one, by) => {
          const other = otherArrival(one, randomBy(by));
          expectSame(await engine.count(other), await engine.count(one), engine.name);
        }),
        { numRuns: NUM_RUNS },
      );
    },
    RUNS_TIMEOUT_MS,
  );

  test(
    'for any partitions that keep the clicks of an ad together',
    async () => {
      await fc.assert(
        fc.asyncProperty(uncut, seed, seed, async (one, a, b) => {
          const [left, right] = [a, b].map((by) => otherPartitions(one, Math.abs(by) % 65_521));
          expectSame(await engine.count(left!), await engine.count(right!), engine.name);
        }),
        { numRuns: NUM_RUNS },
      );
    },
    RUNS_TIMEOUT_MS,
  );

  test(
    'for any click that comes again, but for the number of duplicates',
    async () => {
      let again = 0;
      await fc.assert(
        fc.asyncProperty(uncut, seed, async (one, by) => {
          const wanted = await engine.count(one);
          const answer = await engine.count(withDuplicates(one, randomBy(by)));
          const { received, duplicate } = answer.flow;
          received.forEach((n, minute) => {
            const more = n - wanted.flow.received[minute]!;
            expect(more).toBe(duplicate[minute]! - wanted.flow.duplicate[minute]!);
            again += more;
          });
          const flow = { ...wanted.flow, received, duplicate };
          expectSame(answer, { ...wanted, flow }, engine.name);
        }),
        { numRuns: NUM_RUNS },
      );
      expect(again).toBeGreaterThan(NUM_RUNS);
    },
    RUNS_TIMEOUT_MS,
  );
});

describe('the answer of the stream', () => {
  test(
    'is that of core when workers take over from each other',
    async () => {
      await fc.assert(
        fc.asyncProperty(question, async (one) => {
          const wanted = await coreEngine.count(one);
          expectSame(await takenOverEngine.count(one), wanted, takenOverEngine.name);
        }),
        { numRuns: NUM_RUNS },
      );
    },
    RUNS_TIMEOUT_MS,
  );
});

describe('the answer of batch', () => {
  let lake: TestLake;

  beforeAll(async () => {
    lake = await openTestLake();
  });

  afterAll(() => lake.close());

  /** Files of so many commits, each of so many buckets, in any order, for so many tasks. */
  const spread = fc
    .record({
      buckets: fc.integer({ min: 1, max: 5 }),
      tasksMax: fc.integer({ min: 1, max: 4 }),
      commits: fc.integer({ min: 1, max: 4 }),
      by: seed,
    })
    .map(({ buckets, tasksMax, commits, by }): Spread => {
      const random = randomBy(by);
      return {
        name: `batch, ${String(buckets)} buckets of ${String(commits)} commits`,
        buckets,
        tasksMax,
        split: (log) => {
          const turns = log.map(() => Math.floor(random() * commits));
          return Array.from({ length: commits }, (_, n) => log.filter((_row, i) => turns[i] === n));
        },
        order: (files) =>
          files
            .map((file) => ({ file, at: random() }))
            .sort((a, b) => a.at - b.at)
            .map(({ file }) => file),
      };
    });

  test(
    'is that of core for any split into files and tasks',
    async () => {
      const across = hostileQuestion({ acrossPartitions: true });
      await fc.assert(
        fc.asyncProperty(across, spread, async (one, by) => {
          const engine = batchEngine(lake, by);
          expectSame(await engine.count(one), await coreEngine.count(one), engine.name);
        }),
        { numRuns: FILE_RUNS },
      );
    },
    RUNS_TIMEOUT_MS,
  );
});
