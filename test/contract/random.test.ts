import fc from 'fast-check';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { openTestLake } from '../support/lake-files.js';
import type { TestLake } from '../support/lake-files.js';
import { auditEngine } from './support/audit-engine.js';
import { batchEngine } from './support/batch-engine.js';
import { hostileQuestion } from './support/questions.js';
import { rearranged } from './support/rearrange.js';
import { FILE_RUNS, RUNS, RUNS_TIMEOUT_MS } from './support/runs.js';
import { expectAgreement } from './support/agreement.js';
import { anySpread } from './support/spread.js';
import { streamEngine, takenOverEngine } from './support/stream-engine.js';

/** As the named cases of contract.test.ts, on questions that nobody thought of. */
describe('on random logs and rule sets', () => {
  let lake: TestLake;

  beforeAll(async () => {
    lake = await openTestLake();
  });

  afterAll(() => lake.close());

  test(
    'the stream agrees with core, also when workers take over from each other',
    async () => {
      const engines = [streamEngine, takenOverEngine];
      const questions = rearranged(hostileQuestion({ acrossPartitions: false }));
      await expectAgreement(
        questions.map((question) => ({ question, engines })),
        RUNS,
      );
    },
    RUNS_TIMEOUT_MS,
  );

  test(
    'batch agrees with core for any split into files and tasks, and so does the audit',
    async () => {
      const questions = rearranged(hostileQuestion({ acrossPartitions: true }));
      const asked = fc.tuple(questions, anySpread).map(([question, spread]) => {
        return { question, engines: [batchEngine(lake, spread), auditEngine(lake)] };
      });
      await expectAgreement(asked, FILE_RUNS);
    },
    RUNS_TIMEOUT_MS,
  );
});
