import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { BatchStatements } from './support/batch-statements.js';
import { hostileQuestion } from './support/questions.js';
import { rearranged } from './support/rearrange.js';
import { RUNS, RUNS_TIMEOUT_MS } from './support/runs.js';
import { expectAgreement } from './support/agreement.js';
import { fewFiles } from './support/spread.js';

// A file of its own, as it is the longest of the contract.
describe('on random logs and rule sets', () => {
  let folder: string;
  let statements: BatchStatements;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'truecount-statements-'));
    statements = await BatchStatements.open(folder);
  });

  afterAll(async () => {
    statements.close();
    await rm(folder, { recursive: true });
  });

  test(
    'the statements of batch agree with core for any split into files and tasks',
    async () => {
      const questions = rearranged(hostileQuestion({ acrossPartitions: true }));
      const asked = fc.tuple(questions, fewFiles).map(([question, spread]) => {
        return { question, engines: [statements.engine(spread)] };
      });
      await expectAgreement(asked, RUNS);
    },
    RUNS_TIMEOUT_MS,
  );
});
