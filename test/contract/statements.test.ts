import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { batchStatements } from './support/batch-statements.js';
import type { BatchStatements } from './support/batch-statements.js';
import { expectSame } from './support/expectations.js';
import { hostileQuestion } from './support/questions.js';
import { RUNS, RUNS_TIMEOUT_MS } from './support/runs.js';
import { Seen } from './support/seen.js';

// A file of its own, as it is the longest of the contract.
describe('on random logs and rule sets', () => {
  let folder: string;
  let statements: BatchStatements;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'truecount-statements-'));
    statements = await batchStatements(folder);
  });

  afterAll(async () => {
    statements.close();
    await rm(folder, { recursive: true });
  });

  test(
    'the statements of batch agree with core',
    async () => {
      const seen = new Seen();
      const { engine } = statements;
      await fc.assert(
        fc.asyncProperty(hostileQuestion({ acrossPartitions: true }), async (question) => {
          const wanted = await seen.answer(question);
          expectSame(await engine.count(question), wanted, engine.name);
        }),
        { numRuns: RUNS },
      );
      seen.expectMany(RUNS);
    },
    RUNS_TIMEOUT_MS,
  );
});
