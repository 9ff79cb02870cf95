import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseRuleSet } from '../../core/rules/parse.js';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { openTestLake } from '../support/lake-files.js';
import type { TestLake } from '../support/lake-files.js';
import { auditEngine } from './support/audit-engine.js';
import { batchEngine, MANY_TASKS, ONE_TASK } from './support/batch-engine.js';
import { batchStatements } from './support/batch-statements.js';
import type { Case } from './support/case.js';
import { CASES } from './support/cases.js';
import { coreEngine } from './support/engine.js';
import type { Answer, Engine, Question } from './support/engine.js';
import { expectLiterals, expectSame } from './support/expectations.js';
import { HOUR, makeLog } from './support/log.js';
import { cutAbove, hostileQuestion } from './support/questions.js';
import { FILE_RUNS, RUNS, RUNS_TIMEOUT_MS, STATEMENT_RUNS } from './support/runs.js';
import { streamEngine, takenOverEngine } from './support/stream-engine.js';

/** One meaning: every engine gives the same cells and the same books to the same question. */
let lake: TestLake;
let engines: readonly Engine[];
let statements: Awaited<ReturnType<typeof batchStatements>>;
const STREAMS: readonly Engine[] = [streamEngine, takenOverEngine];

beforeAll(async () => {
  lake = await openTestLake();
  statements = await batchStatements(lake);
  const batches = [batchEngine(lake, ONE_TASK), batchEngine(lake, MANY_TASKS)];
  engines = [coreEngine, ...STREAMS, ...batches, auditEngine(lake)];
});

afterAll(async () => {
  statements.close();
  await lake.close();
});

function questionOf(of: Case): Question {
  const log = makeLog(of.log);
  const ruleSet = parseRuleSet(of.ruleSet ?? DEFAULT_RULE_SET);
  return { log, hourMs: HOUR, ruleSet, cut: of.cut ?? cutAbove(log) };
}

describe('every engine', () => {
  test.each(CASES)('$name', async (of) => {
    const question = questionOf(of);
    const wanted = await coreEngine.count(question);
    expectLiterals(of, wanted);
    for (const engine of engines) {
      if (of.acrossPartitions === true && STREAMS.includes(engine)) continue;
      expectSame(await engine.count(question), wanted, engine.name);
    }
  });

  test('is asked cases with names of their own', () => {
    expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length);
    expect(CASES.length).toBeGreaterThanOrEqual(80);
  });
});

/** That the random logs are about something: clicks that count, duplicates, filtered ones. */
class Seen {
  private counted = 0;
  private duplicate = 0;
  private filtered = 0;

  async answer(question: Question): Promise<Answer> {
    const answer = await coreEngine.count(question);
    for (const n of answer.flow.counted) this.counted += n;
    for (const n of answer.flow.duplicate) this.duplicate += n;
    for (const n of answer.flow.filtered) this.filtered += n;
    return answer;
  }

  expectMany(each: number): void {
    expect(this.counted).toBeGreaterThan(each);
    expect(this.duplicate).toBeGreaterThan(each);
    expect(this.filtered).toBeGreaterThan(each);
  }
}

describe('on random logs and rule sets', () => {
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
    'the statements of batch agree with core',
    async () => {
      const seen = new Seen();
      const { engine } = statements;
      await fc.assert(
        fc.asyncProperty(hostileQuestion({ acrossPartitions: true }), async (question) => {
          const wanted = await seen.answer(question);
          expectSame(await engine.count(question), wanted, engine.name);
        }),
        { numRuns: STATEMENT_RUNS },
      );
      seen.expectMany(STATEMENT_RUNS);
    },
    RUNS_TIMEOUT_MS,
  );

  test(
    'batch agrees with core, with one task and with many, and so does the audit',
    async () => {
      const readers = engines.filter((engine) => ![coreEngine, ...STREAMS].includes(engine));
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
