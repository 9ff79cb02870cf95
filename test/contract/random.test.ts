import fc from 'fast-check';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { openTestLake } from '../support/lake-files.js';
import type { TestLake } from '../support/lake-files.js';
import { auditEngine } from './support/audit-engine.js';
import { batchEngine, MANY_TASKS, ONE_TASK } from './support/batch-engine.js';
import { expectSame } from './support/expectations.js';
import { hostileQuestion } from './support/questions.js';
import { FILE_RUNS, RUNS, RUNS_TIMEOUT_MS } from './support/runs.js';
import { Seen } from './support/seen.js';
import { streamEngine } from './support/stream-engine.js';

/** As the named cases of contract.test.ts, on questions that nobody thought of. */
describe('on random logs and rule sets', () => {
  let lake: TestLake;

  beforeAll(async () => {
    lake = await openTestLake();
  });

  afterAll(() => lake.close());

  test(
    'the stream agrees with core',
    async () => {
      const seen = new Seen();
      await fc.assert(
        fc.asyncProperty(hostileQuestion({ acrossPartitions: false }), async (question) => {
          const wanted = await seen.answer(question);
          expectSame(await streamEngine.count(question), wanted, streamEngine.name);
        }),
        { numRuns: RUNS },
      );
      seen.expectMany(RUNS);
    },
    RUNS_TIMEOUT_MS,
  );

  test(
    'batch agrees with core, with one task and with many, and so does the audit',
    async () => {
      const readers = [
        batchEngine(lake, ONE_TASK),
        batchEngine(lake, MANY_TASKS),
        auditEngine(lake),
      ];
      const seen = new Seen();
      await fc.assert(
        fc.asyncProperty(hostileQuestion({ acrossPartitions: true }), async (question) => {
          const wanted = await seen.answer(question);
          for (const engine of readers) {
            expectSame(await engine.count(question), wanted, engine.name);
          }
        }),
        { numRuns: FILE_RUNS },
      );
      seen.expectMany(FILE_RUNS);
    },
    RUNS_TIMEOUT_MS,
  );
});
